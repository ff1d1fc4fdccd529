"""Layers over codes, in the place of `flax.linen.Embed` and `flax.nnx.Embed`.

A table is M codes a row and M codebooks (Shu & Nakayama 2018, eq. 2), and the table [V, D] is never
made, neither for rows nor for logits. Logits of a tied output go through tables of partial
products, `query @ codebooks.T` [M, K, B], as distances do in product quantization (Jegou, Douze &
Schmid 2011, section III.A): a logit is the sum of M of them. So does the gradient on its way back.

Axis letters: B queries, V rows of the table, M codebooks, K codewords, D dimensions.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.decode import lookup
from jaxcompress.errors import InputError


def check_artefact(codes: Any, layer: str) -> None:
    if not isinstance(codes, Codes):
        raise InputError(
            f"{layer} got a {type(codes).__name__}; expected a jaxcompress.Codes: "
            "jaxcompress.load(PATH) or jaxcompress.compress(TABLE) gives one."
        )


def embed(codes: jax.Array, codebooks: jax.Array, ids: jax.Array, dtype: Any) -> jax.Array:
    """Rows [*ids.shape, D] of a type; NaN where there is no such row."""
    ids = jnp.asarray(ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise InputError(f"ids are {ids.dtype}; expected integers.")
    if ids.dtype.itemsize < 4:
        ids = ids.astype(jnp.int32)
    there = ids < len(codes)  # in their own type: uint32 has ids that int32 has not
    if jnp.issubdtype(ids.dtype, jnp.signedinteger):
        there &= ids >= -len(codes)
    rows = lookup(codes, codebooks, jnp.where(there, ids, 0).astype(jnp.int32))
    rows = jnp.where(there[..., None], rows, jnp.nan)
    return promote_dtype(rows, dtype=dtype, inexact=False)[0]
