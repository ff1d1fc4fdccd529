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
from flax import nnx
from flax.linen.dtypes import promote_dtype

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.attend import attend
from jaxcompress.layers.embedding import check_artefact, embed


class Fixed(nnx.Variable):
    """What training does not change: codes, and codebooks that are not trainable."""


class NNXCodesEmbed(nnx.Module):
    """Embeds ids by codes: `nnx.Embed` without its table.

    `codes` is a `Fixed` variable, uint8 or uint16 [V, M]; `codebooks` [M, K, D] is an `nnx.Param`
    if trainable, else `Fixed`: `nnx.grad` and `nnx.Optimizer(..., wrt=nnx.Param)` pass both by.

    Args:
        codes: the artefact.
        trainable: whether the codebooks are parameters; the codes never are.
        dtype: of rows and logits; by default that of the codebooks.
        param_dtype: of the codebooks.

    Raises:
        InputError: where `codes` is no `Codes`, ids are not integers, or the query does not fit.
    """

    def __init__(
        self,
        codes: Codes,
        *,
        trainable: bool = False,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
    ):
        check_artefact(codes, "NNXCodesEmbed")
        kind = nnx.Param if trainable else Fixed
        self.codes = Fixed(jnp.asarray(codes.codes))
        self.codebooks = kind(jnp.asarray(codes.codebooks, param_dtype))
        self.num_embeddings = codes.num_rows
        self.features = codes.dim
        self.dtype = dtype or param_dtype
        self.param_dtype = param_dtype

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Embeds ids, as `CodesEmbed` does: int of any shape -> [*ids.shape, D]."""
        return embed(self.codes[...], self.codebooks[...], ids, self.dtype)

    def attend(self, query: jax.Array) -> jax.Array:
        """Multiplies a query with every row: [..., D] -> logits [..., V]."""
        query, codebooks = promote_dtype(query, self.codebooks[...], dtype=self.dtype)
        return attend(query, self.codes[...], codebooks)
