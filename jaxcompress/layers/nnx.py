"""`NNXCodesEmbed`: `flax.nnx.Embed` over codes.

Axis letters: V rows of the table, M codebooks, K codewords, D dimensions.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.linen.dtypes import promote_dtype

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.attend import attend
from jaxcompress.layers.checks import check_codes
from jaxcompress.layers.embedding import embed, in_spans, put


class Fixed(nnx.Variable):
    """A variable that training does not change: codes, and codebooks that are not trainable."""


class NNXCodesEmbed(nnx.Module):
    """Embeds ids by codes: `nnx.Embed` without its table.

    `codes` is a `Fixed` variable, uint8 or uint16 [V, M]; `codebooks` [M, K, D] is an `nnx.Param`
    if trainable, else `Fixed`. `nnx.grad` and `nnx.Optimizer(..., wrt=nnx.Param)` leave `Fixed`
    variables alone.

    >>> import numpy as np
    >>> codebooks = np.array([[[1, 0], [2, 0]], [[0, 10], [0, 20]]])  # M = K = D = 2
    >>> layer = NNXCodesEmbed(Codes(np.array([[0, 1], [1, 1]]), codebooks))
    >>> layer(jnp.array([1, 0]))
    Array([[ 2., 20.],
           [ 1., 20.]], dtype=float32)

    Args:
        codes: the artefact.
        trainable: whether the codebooks are parameters; the codes never are.
        dtype: type of rows and logits; None: that of the codebooks.
        param_dtype: type of the codebooks.

    Raises:
        InputError: if `codes` is no `Codes`, ids are not integers, or the query does not fit.
    """

    def __init__(
        self,
        codes: Codes,
        *,
        trainable: bool = False,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
    ):
        check_codes(codes, "NNXCodesEmbed")
        kind = nnx.Param if trainable else Fixed
        self.codes = Fixed(put(codes.codes))
        self.codebooks = kind(put(codes.codebooks, param_dtype))
        self.groups = codes.groups
        self.num_embeddings = codes.num_rows
        self.features = codes.dim
        self.dtype = dtype or param_dtype
        self.param_dtype = param_dtype

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Embeds ids, as `CodesEmbed` does: int of any shape -> [*ids.shape, D]."""
        return embed(self.codes[...], self.codebooks[...], ids, self.dtype, self.groups)

    def attend(self, query: jax.Array) -> jax.Array:
        """Multiplies a query with every row: [..., D] -> logits [..., V]."""
        codebooks = in_spans(self.codebooks[...], self.groups)
        query, codebooks = promote_dtype(query, codebooks, dtype=self.dtype)
        return attend(query, self.codes[...], codebooks)
