"""What a classifier can read words with: vectors, codes, or tables learned with the task.

What is not trained is data: it lies on the device once, in no checkpoint, and tokens become vectors
as a batch is gathered.

Given tables are read along their principal axes, each scaled to a variance near 1. A first layer
could learn as much, and nothing is lost; but an optimiser's steps are then of one size in all
directions, and what lies in the small ones is learned too. It matters for codes most: these keep
the large directions and shrink the small ones.

Axis letters: B texts, T tokens, V rows, D dimensions, M codebooks, K codewords.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.tables.axes import principal_axes
from jaxcompress.tables.word_table import Embedding, WordTable, take_ids

_SAMPLE = 10_000  # rows that the axes are computed of


FROZEN = Embedding(lambda key: {}, lambda params, vectors: vectors)


def frozen_vectors(words: Sequence[str], rows: np.ndarray) -> WordTable:
    """Vectors as they are, float [V, D], along their axes; an unknown word's is of zeros."""
    axes = principal_axes(rows)
    turned = np.empty(rows.shape, rows.dtype)
    for start in range(0, len(rows), _SAMPLE):
        chunk = slice(start, start + _SAMPLE)
        turned[chunk] = (rows[chunk] - axes.mean) @ axes.to

    def read(turned, ids):
        return turned.at[ids].get(mode="fill", fill_value=0).astype(jnp.float32)

    return WordTable(words, rows.shape[1], FROZEN, turned, read, lambda params: rows)


def dense_table(words: Sequence[str], dim: int) -> WordTable:
    """A matrix, learned with the task."""

    def init(key):
        return {"rows": 0.1 * jax.random.normal(key, (len(words) + 1, dim))}

    embedding = Embedding(init, lambda params, ids: params["rows"][ids])
    return WordTable(words, dim, embedding, (), take_ids, lambda params: params["rows"])
