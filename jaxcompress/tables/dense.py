"""A matrix as an embedding, learned from scratch with the task.

Axis letters: V words, D dimensions. The table has V + 1 rows; the last one is the unknown word's.
"""

from collections.abc import Sequence

import jax

from jaxcompress.tables.word_table import Embedding, WordTable, gather_ids

_SCALE = 0.1  # standard deviation of the first values


def dense_table(words: Sequence[str], dim: int) -> WordTable:
    """Makes a table whose rows are all trained: `params` are `{"rows": float32 [V + 1, D]}`.

    >>> table = dense_table(["a", "b"], dim=5)
    >>> table.embedding.init(jax.random.key(0))["rows"].shape
    (3, 5)
    """

    def init(key):
        return {"rows": _SCALE * jax.random.normal(key, (len(words) + 1, dim))}

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
