"""A given table as an embedding: fixed, and read along its principal axes.

Axis letters: B texts, T tokens, V rows, D dimensions.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.tables.codes import frozen_codes
from jaxcompress.tables.whitening import fit_whitening, whiten_rows
from jaxcompress.tables.word_table import FROZEN, WordTable


def frozen_table(table: CompressedTable) -> WordTable:
    """Makes a table of what is kept of one; an unknown word's vector is zeros.

    Codes lie on the devices as codes, the rows of other tables decoded. What is stored is the table
    as it was given.
    """
    if isinstance(table, Codes):
        return frozen_codes(table)
    made = frozen_vectors(table.words, table.decode())
    return made._replace(to_artefact=lambda params: table)


def frozen_vectors(words: Sequence[str], rows: np.ndarray) -> WordTable:
    """Makes a table of vectors that are not trained; an unknown word's vector is zeros.

    Args:
        words: the V names of the rows.
        rows: float16 or float32 [V, D].

    >>> table = frozen_vectors(["a", "b"], np.float32([[1, 0], [0, 1]]))
    >>> vectors = table.embedding.apply({}, table.gather(jnp.asarray(table.data), jnp.array([[2]])))
    >>> vectors.shape, float(abs(vectors).max())
    ((1, 1, 2), 0.0)
    """
    return WordTable(
        words=words,
        dim=rows.shape[1],
        embedding=FROZEN,
        data=whiten_rows(rows, fit_whitening(rows)),
        gather=_gather_rows,
        to_artefact=lambda params: rows,
    )


def _gather_rows(rows: jax.Array, ids: jax.Array) -> jax.Array:
    """Takes rows [V, D] of ids int [B, T]: float32 [B, T, D], zeros for id V."""
    return rows.at[ids].get(mode="fill", fill_value=0).astype(jnp.float32)
