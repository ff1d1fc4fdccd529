"""`CodesEmbed`: `flax.linen.Embed` over codes.

Axis letters: V rows of the table, M codebooks, K codewords, D dimensions.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.attend import attend
from jaxcompress.layers.checks import check_codes
from jaxcompress.layers.embedding import embed, in_spans, put


class CodesEmbed(nn.Module):
    """Embeds ids by codes: `nn.Embed` without its table.

    >>> import numpy as np
    >>> codebooks = np.array([[[1, 0], [2, 0]], [[0, 10], [0, 20]]])  # M = K = D = 2
    >>> layer = CodesEmbed(Codes(np.array([[0, 1], [1, 1]]), codebooks))
    >>> ids = jnp.array([1, 0])
    >>> layer.apply(layer.init(jax.random.key(0), ids), ids)
    Array([[ 2., 20.],
           [ 1., 20.]], dtype=float32)

    `init` fills the variables from `codes`; `apply` reads the variables, so that they are arguments
    of the compiled program and not constants in it. `variables["codes"]["codes"]` is uint8 or
    uint16 [V, M]; the codebooks [M, K, D] are `variables["params"]["codebooks"]` if trainable, else
    `variables["codes"]["codebooks"]`.

    Attributes:
        codes: the artefact.
        trainable: whether the codebooks are parameters; the codes never are.
        dtype: type of rows and logits; None: rows have that of the codebooks, logits that to which
            codebooks and query are promoted.
        param_dtype: type of the codebooks.

    Raises:
        InputError: if `codes` is no `Codes`, ids are not integers, or the query does not fit.
    """

    codes: Codes
    trainable: bool = False
    dtype: Any = None
    param_dtype: Any = jnp.float32

    @property
    def num_embeddings(self) -> int:
        """V, the number of rows."""
        return self.codes.num_rows

    @property
    def features(self) -> int:
        """D, the number of dimensions of a row."""
        return self.codes.dim

    def __post_init__(self) -> None:
        check_codes(self.codes, "CodesEmbed")
        super().__post_init__()

    def setup(self) -> None:
        make_codebooks = lambda *_: put(self.codes.codebooks, self.param_dtype)
        make_codes = lambda: put(self.codes.codes)
        self.row_codes = self.variable("codes", "codes", make_codes)
        if self.trainable:
            self.codebooks = self.param("codebooks", make_codebooks)
        else:
            self.codebooks = self.variable("codes", "codebooks", make_codebooks).value

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Embeds ids.

        Args:
            ids: int, any shape; as with `nn.Embed`, -1 is the last row, and an id out of range
                gives NaN.

        Returns:
            [*ids.shape, D].
        """
        return embed(self.row_codes.value, self.codebooks, ids, self.dtype, self.codes.groups)

    def attend(self, query: jax.Array) -> jax.Array:
        """Multiplies a query with every row: [..., D] -> logits [..., V]."""
        codebooks = in_spans(self.codebooks, self.codes.groups)
        query, codebooks = promote_dtype(query, codebooks, dtype=self.dtype)
        return attend(query, self.row_codes.value, codebooks)
