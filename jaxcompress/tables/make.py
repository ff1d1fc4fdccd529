"""From what a config says of a table to the table."""

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.compressed.of_words import rows_of_words
from jaxcompress.tables.adapt import Plan, adapt, first_masks
from jaxcompress.tables.anchors import anchor_table
from jaxcompress.tables.codes import trained_codebooks
from jaxcompress.tables.config import OF_ANCHORS, TableConfig
from jaxcompress.tables.dense import dense_table
from jaxcompress.tables.hashed import hashed_table
from jaxcompress.tables.low_rank import low_rank_table
from jaxcompress.tables.word_table import WordTable


def make_table(
    config: TableConfig,
    words: Sequence[str],
    dim: int,
    *,
    scale: float,
    plan: Plan,
    counts: np.ndarray,
    codes: Codes | None = None,
    unknown: str | None = None,
) -> WordTable:
    """Makes a table that is learned with a task.

    Args:
        config: its kind and size.
        words: names of the rows.
        dim: D.
        scale: standard deviation of the first values of rows.
        plan: when a table of anchors changes.
        counts: [V], how often each row is trained on.
        codes: what `config.codes` names; None for other kinds.
        unknown: the name of a further row, for all other words; None: there is none. Codes have no
            such row.

    Raises:
        InputError: if codes do not fit the words.
    """
    others = {"scale": scale, "unknown": unknown}
    if config.kind in OF_ANCHORS:
        grows = config.kind == "nbant"
        return anchor_table(
            words,
            config.max_anchors if grows else config.num_anchors,
            dim,
            **others,
            aux=partial(first_masks, config),
            adapt=partial(adapt, config, plan, counts) if plan.best_from else None,
        )
    if config.kind == "low_rank":
        return low_rank_table(words, config.rank, dim, **others)
    if config.kind == "hashed":
        return hashed_table(words, config.num_rows, dim, config.num_hashes, **others)
    if codes is not None:
        return trained_codebooks(_in_order(codes, words, dim), whiten=False)
    return dense_table(words, dim, **others)


def _in_order(codes: Codes, words: Sequence[str], dim: int) -> Codes:
    """Takes the codes of words, in their order."""
    ids = rows_of_words(codes, words, dim)
    return dataclasses.replace(codes, codes=codes.codes[ids], words=list(words), encoder=None)
