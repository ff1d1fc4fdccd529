"""`AnchorEmbed`: `flax.linen.Embed` as sparse mixes of anchors, trained with the model.

Liang et al., ICLR 2021, arXiv 2003.08197, section 3.

Axis letters: V rows of the table, K anchors that there is room for, D dimensions.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from flax.linen.initializers import Initializer

from jaxcompress.anchors.table import random_anchors, random_transform
from jaxcompress.layers.anchor_embedding import check_sizes, logits_of, rows_of


class AnchorEmbed(nn.Module):
    """Embeds ids by `transform [V, K] @ anchors [K, D]` (eq. 1): `nn.Embed` that becomes small.

    >>> layer = AnchorEmbed(num_embeddings=1000, features=32, num_anchors=8)
    >>> variables = layer.init(jax.random.key(0), jnp.array([3, 7]))
    >>> jax.tree.map(jnp.shape, variables)
    {'params': {'anchors': (8, 32), 'transform': (1000, 8)}}
    >>> layer.apply(variables, jnp.ones((2, 32)), method="attend").shape
    (2, 1000)

    Both parameters start dense. `anchors.proximal_yogi`, or `anchors.proximal_l1` behind another
    optimiser, makes entries of the transform zero, and `anchors.to_artefact(params[NAME])` keeps
    the others. If `max_anchors` is given, the variable `active`, bool [K], in the collection
    "growth" says which anchors are in use, and `anchors.resize` changes it.

    Attributes:
        num_embeddings: V, the number of rows.
        features: D, the number of dimensions of a row.
        num_anchors: anchors in use at first.
        max_anchors: K; None: it is `num_anchors`, which stays.
        dtype: type of rows and logits; None: rows have that of the parameters, logits that to which
            parameters and query are promoted.
        param_dtype: type of the parameters.
        transform_init: first values of the transform, which are to be at least 0.
        anchors_init: first values of the anchors.

    Raises:
        InputError: if a size is none, ids are not integers, or the query does not fit.
    """

    num_embeddings: int
    features: int
    num_anchors: int
    max_anchors: int | None = None
    dtype: Any = None
    param_dtype: Any = jnp.float32
    transform_init: Initializer = random_transform
    anchors_init: Initializer = random_anchors

    def __post_init__(self) -> None:
        check_sizes(
            "AnchorEmbed",
            num_embeddings=self.num_embeddings,
            features=self.features,
            num_anchors=self.num_anchors,
            max_anchors=self._room,
        )
        super().__post_init__()

    @property
    def _room(self) -> int:
        return self.num_anchors if self.max_anchors is None else self.max_anchors

    def setup(self) -> None:
        room, kind = self._room, self.param_dtype
        shape = (self.num_embeddings, room)
        self.transform = self.param("transform", self.transform_init, shape, kind)
        self.anchors = self.param("anchors", self.anchors_init, (room, self.features), kind)
        self.active = None
        if self.max_anchors is not None:
            first = lambda: jnp.arange(room) < self.num_anchors
            self.active = self.variable("growth", "active", first).value

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Embeds ids.

        Args:
            ids: int, any shape; as with `nn.Embed`, -1 is the last row, and an id out of range
                gives NaN.

        Returns:
            [*ids.shape, D].
        """
        return rows_of(ids, self.transform, self.anchors, self.active, self.dtype)

    def attend(self, query: jax.Array) -> jax.Array:
        """Multiplies a query with every row: [..., D] -> logits [..., V]."""
        arrays = promote_dtype(query, self.transform, self.anchors, dtype=self.dtype)
        return logits_of(*arrays, self.active)
