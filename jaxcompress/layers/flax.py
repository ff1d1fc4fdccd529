"""Layers over codes, in the place of `flax.linen.Embed` and `flax.nnx.Embed`.

A table is M codes a row and M codebooks (Shu & Nakayama 2018, eq. 2), and the table [V, D] is never
made, neither for rows nor for logits. Logits of a tied output go through tables of partial
products, `query @ codebooks.T` [M, K, B], as distances do in product quantization (Jegou, Douze &
Schmid 2011, section III.A): a logit is the sum of M of them. So does the gradient on its way back.

Axis letters: B queries, V rows of the table, M codebooks, K codewords, D dimensions.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.attend import attend
from jaxcompress.layers.embedding import check_artefact, embed


class CodesEmbed(nn.Module):
    """Embeds ids by codes: `nn.Embed` without its table.

    `init` fills the variables from `codes`; `apply` reads the variables, so that they are arguments
    of the compiled program and none of its constants. `variables["codes"]["codes"]` is uint8 or
    uint16 [V, M]; the codebooks [M, K, D] are `variables["params"]["codebooks"]` if trainable, else
    `variables["codes"]["codebooks"]`.

    Attributes:
        codes: the artefact.
        trainable: whether the codebooks are parameters; the codes never are.
        dtype: of rows and logits; by default that of the codebooks, or what they and the query
            promote to.
        param_dtype: of the codebooks.

    Raises:
        InputError: where `codes` is no `Codes`, ids are not integers, or the query does not fit.
    """

    codes: Codes
    trainable: bool = False
    dtype: Any = None
    param_dtype: Any = jnp.float32

    num_embeddings = property(lambda self: self.codes.num_rows)
    features = property(lambda self: self.codes.dim)

    def __post_init__(self):
        check_artefact(self.codes, "CodesEmbed")
        super().__post_init__()

    def setup(self):
        make_codebooks = lambda *_: jnp.asarray(self.codes.codebooks, self.param_dtype)
        make_codes = lambda: jnp.asarray(self.codes.codes)
        self.row_codes = self.variable("codes", "codes", make_codes)
        if self.trainable:
            self.codebooks = self.param("codebooks", make_codebooks)
        else:
            self.codebooks = self.variable("codes", "codebooks", make_codebooks).value

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Embeds ids.

        Args:
            ids: int, any shape; as for `nn.Embed`, -1 is the last row, and an id out of range gives
                NaN.

        Returns:
            [*ids.shape, D].
        """
        return embed(self.row_codes.value, self.codebooks, ids, self.dtype)

    def attend(self, query: jax.Array) -> jax.Array:
        """Multiplies a query with every row: [..., D] -> logits [..., V]."""
        query, codebooks = promote_dtype(query, self.codebooks, dtype=self.dtype)
        return attend(query, self.row_codes.value, codebooks)
