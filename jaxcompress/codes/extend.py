"""More codebooks for a table of codes, in groups: what the codes leave is coded slice by slice.

All codebooks of a group begin at random and are refined together: the noise of refinement
(`noise.py`) finds them a good place. At many bits a dimension it does not: of each row's error, all
of them have a part that is too small. There they come in layers, as those of a residual quantizer
do (Chen, Guan & Wang, Sensors 2010), each made for what those before have left. What either leaves
was measured: `docs/benchmarks.md`, "Codes: the choice of a size".

Axis letters: N rows, K codewords, D dimensions, G groups.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.config import RefineConfig
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.refine import Refined, refine_codes
from jaxcompress.codes.rows import PreparedTable
from jaxcompress.storage.bits import code_bits

_SAMPLE = 8192  # rows that codewords are drawn from
_ROUNDS = 6  # of refinement after each layer, before the whole
_MOST_AT_ONCE = 2.5  # bits a dimension of a group


def layer_sizes(dim: int, num_groups: int, num_codewords: int, per_group: int) -> list[int]:
    """Divides the codebooks of a group into one layer, or into several of a bit a dimension or so.

    >>> layer_sizes(dim=384, num_groups=4, num_codewords=4, per_group=100)
    [100]
    >>> layer_sizes(dim=384, num_groups=4, num_codewords=4, per_group=200)
    [40, 40, 40, 40, 40]
    """
    width, bits = dim // num_groups, max(1, code_bits(num_codewords))
    if per_group * bits <= _MOST_AT_ONCE * width:
        return [per_group]
    most = max(1, width // bits)
    count = math.ceil(per_group / most)
    return [per_group // count + (i < per_group % count) for i in range(count)]


def add_layer(
    table: PreparedTable, codes: Codes, num_groups: int, per_group: int, seed: int = 0
) -> Codes:
    """Adds codebooks to each group; they begin as rows of what the codes leave.

    Args:
        table: the rows; codewords are drawn from those that codebooks may be fitted to.
        codes: codes of all of them, in so many groups or without any.
        num_groups: G, a divisor of D.
        per_group: how many codebooks each group gets.
        seed: seeds the codewords and codes that are drawn.

    Raises:
        InputError: if G does not divide D.
    """
    rng = np.random.default_rng((seed, codes.num_codebooks))
    before = codes.groups or Groups(codes.num_codebooks, num_groups)
    before.check(codes.num_codebooks, codes.dim)
    fitted = np.setdiff1d(np.arange(len(codes)), table.held_out, assume_unique=True)
    ids = np.sort(rng.choice(fitted, min(len(fitted), _SAMPLE), replace=False))
    left = table.rows[ids].astype(np.float32) - codes.decode(ids)
    left = (left - left.mean(axis=0)).reshape(len(ids), num_groups, -1)
    left /= np.sqrt(per_group)  # a sum of so many has the variance of what is left
    shape = (num_groups, per_group, codes.num_codewords)
    drawn = rng.integers(len(ids), size=shape)
    new = left[drawn, np.arange(num_groups)[:, None, None]]
    shared, grouped = before.split(codes.codebooks)
    own, others = before.split_codes(codes.codes)
    more = rng.integers(codes.num_codewords, size=(len(codes), num_groups, per_group))
    others = np.concatenate([others, more.astype(codes.codes.dtype)], axis=2)
    return dataclasses.replace(
        codes,
        codes=np.concatenate([own, others.reshape(len(codes), -1)], axis=1),
        codebooks=before.join(shared, np.concatenate([grouped, new], axis=1)),
        groups=before,
    )


def refine_with_groups(
    table: PreparedTable,
    codes: Codes,
    config: RefineConfig,
    num_groups: int,
    per_group: int,
    *,
    seed: int = 0,
    label: str = "codes",
    **others: Any,
) -> Refined:
    """Refines codes; first, codebooks are added in groups, layer by layer, if any are asked for.

    Args:
        table: the rows.
        codes: codes whose codebooks span all dimensions.
        config: of the last refinement, of all codebooks. With no rounds nothing is added either.
        num_groups: G.
        per_group: how many codebooks each group gets.
        seed: the randomness of search and layers.
        label: what `refine_codes` takes; each layer has one of its own.
        **others: what `refine_codes` takes.
    """
    seconds = 0.0

    def refine(codes: Codes, config: RefineConfig, label: str) -> Codes:
        nonlocal seconds
        refined = refine_codes(table, codes, config, seed=seed, label=label, **others)
        seconds += refined.seconds
        return refined.codes

    if per_group and config.num_rounds:
        few = dataclasses.replace(config, num_rounds=_ROUNDS)
        codes = refine(codes, few, f"{label}-shared")
        layers = layer_sizes(codes.dim, num_groups, codes.num_codewords, per_group)
        for number, size in enumerate(layers, 1):
            codes = add_layer(table, codes, num_groups, size, seed)
            if number < len(layers):
                codes = refine(codes, few, f"{label}-layer{number}")
    return Refined(refine(codes, config, label), seconds)
