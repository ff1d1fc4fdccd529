"""One small table of each kind, over the same words, for the tests of tables and of models."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.tables import (
    anchor_table,
    dense_table,
    frozen_codes,
    frozen_vectors,
    hashed_table,
    low_rank_table,
    trained_codebooks,
)

WORDS = [f"w{i}" for i in range(6)]
_RNG = np.random.default_rng(0)
ROWS = _RNG.normal(size=(6, 5)).astype(np.float32)
CODES = Codes(
    _RNG.integers(0, 3, (6, 2)), _RNG.normal(size=(2, 3, 5)).astype(np.float32), words=WORDS
)
TABLES = {
    "frozen vectors": frozen_vectors(WORDS, ROWS),
    "frozen codes": frozen_codes(CODES),
    "trained codebooks": trained_codebooks(CODES),
    "ant": anchor_table(WORDS, 3, 5),
    "dense": dense_table(WORDS, 5),
    "low rank": low_rank_table(WORDS, 2, 5),
    "hashed": hashed_table(WORDS, 6, 5),
}
LEARNED = ("ant", "dense", "low rank", "hashed")  # from scratch, with a row for unknown words
IDS = jnp.array([[0, 3, 5, 1], [2, 6, 6, 6]])  # 6 is the unknown word's
EVERY = jnp.arange(7)[None]  # the unknown word too


def gather(table, ids):
    """The tokens of a batch of ids [B, T]."""
    return table.gather(jax.tree.map(jnp.asarray, table.data), jnp.asarray(ids))


def embed(table, params, ids=IDS):
    """The vectors [B, T, D] of a batch of ids [B, T]."""
    return table.embedding.apply(params, gather(table, ids))
