"""A product of two thin matrices as an embedding, learned from scratch with the task.

Axis letters: V rows, R numbers of a row, D dimensions.
"""

from collections.abc import Sequence

import jax

from jaxcompress.compressed.low_rank import LowRank
from jaxcompress.tables.word_table import (
    SCALE,
    UNKNOWN,
    Embedding,
    WordTable,
    gather_ids,
    row_names,
)


def low_rank_table(
    words: Sequence[str],
    rank: int,
    dim: int,
    *,
    scale: float = SCALE,
    unknown: str | None = UNKNOWN,
) -> WordTable:
    """Makes a table of rank R: `params` are `numbers` float32 [V, R] and `basis` [R, D].

    Args:
        words: names of the rows.
        rank: R.
        dim: D.
        scale: standard deviation of the first values of rows; both factors have as much of it.
        unknown: the name of a further row, for all other words; None: there is none.

    >>> params = low_rank_table(["a", "b"], rank=2, dim=5).embedding.init(jax.random.key(0))
    >>> {name: value.shape for name, value in sorted(params.items())}
    {'basis': (2, 5), 'numbers': (3, 2)}
    """
    names = row_names(words, unknown)
    deviation = (scale / rank**0.5) ** 0.5

    def init(key):
        keys = jax.random.split(key)
        shapes = {"numbers": (len(names), rank), "basis": (rank, dim)}
        return {
            name: deviation * jax.random.normal(k, shape)
            for k, (name, shape) in zip(keys, shapes.items(), strict=True)
        }

    def apply(params, ids):
        return params["numbers"][ids] @ params["basis"]

    return WordTable(
        words=words,
        dim=dim,
        embedding=Embedding(init, apply),
        data=(),
        gather=gather_ids,
        to_artefact=lambda params: LowRank(params["numbers"], params["basis"], names),
    )
