"""`NNXAnchorEmbed`: `flax.nnx.Embed` as sparse mixes of anchors, trained with the model.

Liang et al., ICLR 2021, arXiv 2003.08197, section 3.

Axis letters: V rows of the table, K anchors that there is room for, D dimensions.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.linen.dtypes import promote_dtype
from flax.linen.initializers import Initializer

from jaxcompress.anchors.table import random_anchors, random_transform
from jaxcompress.layers.anchor_embedding import check_sizes, logits_of, rows_of
from jaxcompress.layers.nnx import Fixed


class NNXAnchorEmbed(nnx.Module):
    """Embeds ids by `transform [V, K] @ anchors [K, D]` (eq. 1): `nnx.Embed` that becomes small.

    Both are an `nnx.Param`, and are trained as those of `AnchorEmbed`; functions of
    `jaxcompress.anchors` take them as `nnx.to_pure_dict(nnx.state(layer, nnx.Param))`, and
    `nnx.update(layer, params)` puts them back. `active` is a `Fixed` variable, bool [K], which
    anchors are in use; None if `max_anchors` is.

    >>> layer = NNXAnchorEmbed(1000, 32, num_anchors=8, rngs=nnx.Rngs(0))
    >>> layer(jnp.array([3, 7])).shape, layer.attend(jnp.ones((2, 32))).shape
    ((2, 32), (2, 1000))

    Args:
        num_embeddings: V, the number of rows.
        features: D, the number of dimensions of a row.
        num_anchors: anchors in use at first.
        max_anchors: K; None: it is `num_anchors`, which stays.
        dtype: type of rows and logits; None: that of the parameters.
        param_dtype: type of the parameters.
        transform_init: first values of the transform, which are to be at least 0.
        anchors_init: first values of the anchors.
        rngs: keys of the first values.

    Raises:
        InputError: if a size is none, ids are not integers, or the query does not fit.
    """

    def __init__(
        self,
        num_embeddings: int,
        features: int,
        num_anchors: int,
        *,
        max_anchors: int | None = None,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        transform_init: Initializer = random_transform,
        anchors_init: Initializer = random_anchors,
        rngs: nnx.Rngs,
    ):
        room = num_anchors if max_anchors is None else max_anchors
        check_sizes(
            "NNXAnchorEmbed",
            num_embeddings=num_embeddings,
            features=features,
            num_anchors=num_anchors,
            max_anchors=room,
        )
        shape = (num_embeddings, room)
        self.transform = nnx.Param(transform_init(rngs.params(), shape, param_dtype))
        self.anchors = nnx.Param(anchors_init(rngs.params(), (room, features), param_dtype))
        self.active = None if max_anchors is None else Fixed(jnp.arange(room) < num_anchors)
        self.num_embeddings = num_embeddings
        self.features = features
        self.dtype = dtype or param_dtype
        self.param_dtype = param_dtype

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Embeds ids, as `AnchorEmbed` does: int of any shape -> [*ids.shape, D]."""
        return rows_of(ids, self.transform[...], self.anchors[...], self._active, self.dtype)

    def attend(self, query: jax.Array) -> jax.Array:
        """Multiplies a query with every row: [..., D] -> logits [..., V]."""
        transform, anchors = self.transform[...], self.anchors[...]
        arrays = promote_dtype(query, transform, anchors, dtype=self.dtype)
        return logits_of(*arrays, self._active)

    @property
    def _active(self) -> jax.Array | None:
        return None if self.active is None else self.active[...]
