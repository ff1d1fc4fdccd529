"""The last step on the way to codes: codebooks as files hold them, and codes searched for these.

Codebooks are folded and rounded (`codebook_types`). Then the codes are searched once more, for the
codes of least error differ where codebooks do; so whatever is measured is what is stored.

Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import functools
from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.codebook_types import fold, round_codebooks
from jaxcompress.codes.grouped import search_codes
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.metric import Metric
from jaxcompress.codes.placed import PlacedCodes, as_given, copy, place_codes, recode
from jaxcompress.codes.precision import exact_products
from jaxcompress.codes.rows import PreparedTable
from jaxcompress.codes.search import default_search_steps
from jaxcompress.codes.sizes import DEFAULT_TYPE
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.errors import InputError

_Given = TypeVar("_Given", Codes, PlacedCodes)
_MOST_LOST = 1e-4  # of the mean squared L2: more than this, and codebooks stay float32
_ROUND = 2**31 - 1  # of randomness; training and refinement have the numbers from 0


@own_settings
def store_as(
    table: PreparedTable,
    codes: _Given,
    codebook_type: str | None = None,
    *,
    metric: Metric | None = None,
    seed: int = 0,
    num_rounds: int = 1,
    say: Callable[[str], None] = print,
) -> _Given:
    """Gives codes whose codebooks a file of a type holds exactly, in the short form.

    Args:
        table: the rows.
        codes: codes of all of them, in their order.
        codebook_type: one of `CODEBOOK_TYPES`; None: float16 if that moves the mean squared
            L2 (weighted, if the rows are) by less than 0.01 %, else float32.
        metric: what made the rows of the table; the codes that are given stand for these, and those
            that are returned for the rows that it made them of.
        seed: the search's randomness.
        num_rounds: rounds of local search for the stored codebooks; no row's error is larger after
            it. 0: the codes stay as they are.
        say: takes a line for the user.
    """
    placed = place_codes(table, codes)
    codebooks = placed.codebooks if metric is None else metric.to_rows(placed.codebooks)
    folded = placed._replace(codebooks=fold(codebooks, placed.groups), codebook_type="float32")
    stored = _round(table, folded, codebook_type, metric, say)
    found = _seen_by(metric, stored)
    for number in range(num_rounds):
        key = jax.random.fold_in(jax.random.key(seed), _ROUND - number)
        found = found._replace(codes=_search(table, found, key))
    return as_given(table, codes, stored._replace(codes=found.codes))


def _seen_by(metric: Metric | None, codes: PlacedCodes) -> PlacedCodes:
    """Gives codes that stand for the rows of the metric."""
    if metric is None:
        return codes
    return codes._replace(codebooks=metric.of_rows(codes.codebooks))


def squared_error(table: PreparedTable, codes: Codes | PlacedCodes) -> float:
    """Computes the mean squared L2 of all rows, weighted if they are."""
    errors = code_errors(table, codes)["all"]
    return errors.get("weighted_mean_squared_l2", errors["mean_squared_l2"])


def _round(
    table: PreparedTable,
    codes: PlacedCodes,
    codebook_type: str | None,
    metric: Metric | None,
    say: Callable[[str], None],
) -> PlacedCodes:
    """Rounds the codebooks; they stay float32 if the type cannot hold them, or loses too much."""
    kind = codebook_type or DEFAULT_TYPE
    try:
        rounded = round_codebooks(codes.codebooks, kind, codes.groups)
    except InputError as error:
        say(f"note: codebooks are stored as float32, not as {kind}: {error}")
        return codes
    stored = codes._replace(codebooks=rounded, codebook_type=kind)
    if codebook_type is None:
        before, after = (squared_error(table, _seen_by(metric, c)) for c in (codes, stored))
        if after > before * (1 + _MOST_LOST):
            say(
                f"note: codebooks are stored as float32; as {kind} the mean squared L2 would be "
                f"{after:.5g} instead of {before:.5g}."
            )
            return codes
    return stored


def _search(table: PreparedTable, codes: PlacedCodes, key: jax.Array) -> jax.Array:
    """Takes a round of local search: better codes of all rows."""
    step = _search_batch(default_search_steps(len(codes.codebooks)), codes.groups)
    state = table.place((np.ldexp(codes.codebooks, -table.exponent), key))
    return recode(table, step, copy(codes.codes), (), state)[0]


@functools.cache
def _search_batch(num_steps: int, groups: Groups | None) -> Callable:
    """Makes the search of a batch, one function for the same arguments: it is compiled once."""

    @exact_products
    def search(state: tuple, carry: tuple, batch: dict) -> tuple[tuple, jax.Array]:
        codebooks, key = state
        key = jax.random.fold_in(key, batch["number"])
        rows, codes = batch["rows"], batch["codes"]
        return carry, search_codes(key, rows, codes, codebooks, num_steps, groups)

    return search
