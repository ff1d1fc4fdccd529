"""A matrix as an embedding, learned from scratch with the task.

Axis letters: V rows, D dimensions.
"""

from collections.abc import Sequence

import jax

from jaxcompress.tables.word_table import (
    SCALE,
    UNKNOWN,
    Embedding,
    WordTable,
    gather_ids,
    row_names,
)


def dense_table(
    words: Sequence[str], dim: int, *, scale: float = SCALE, unknown: str | None = UNKNOWN
) -> WordTable:
    """Makes a table whose rows are all trained: `params` are `{"rows": float32 [V, D]}`.

    Args:
        words: names of the rows.
        dim: D.
        scale: standard deviation of the first values.
        unknown: the name of a further row, for all other words; None: there is none.

    >>> table = dense_table(["a", "b"], dim=5)
    >>> table.embedding.init(jax.random.key(0))["rows"].shape
    (3, 5)
    """

    num_rows = len(row_names(words, unknown))

    def init(key):
        return {"rows": scale * jax.random.normal(key, (num_rows, dim))}

    def apply(params, ids):
        return params["rows"][ids]

    return WordTable(
        words=words,
        dim=dim,
        embedding=Embedding(init, apply),
        data=(),
        gather=gather_ids,
        to_artefact=lambda params: params["rows"],
    )
