"""A table of mixes: rows, the product with all of them, first values, and the module of ANT.

Axis letters: B batch, V rows, K anchors (of a table that grows: as many as there may be),
D dimensions.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

TRANSFORM_SCALE, ANCHOR_SCALE = 0.1, 0.5  # standard deviations of the first values


def mix(weights: jax.Array, anchors: jax.Array, active: jax.Array | None = None) -> jax.Array:
    """Mixes anchors (eq. 1): rows of T [..., K], anchors [K, D] -> [..., D].

    `active`, bool [K], says which anchors count; None: all.
    """
    return _of_active(weights, active) @ anchors


def attend(
    query: jax.Array,
    transform: jax.Array,
    anchors: jax.Array,
    active: jax.Array | None = None,
) -> jax.Array:
    """Multiplies a query with every row, `query (T A)'` (eq. 1), without ever making the table.

    By way of the products with the K anchors: query [..., D], transform [V, K], anchors [K, D] and
    perhaps active, bool [K], to logits [..., V].
    """
    return _of_active(query @ anchors.T, active) @ transform.T


def _of_active(weights: jax.Array, active: jax.Array | None) -> jax.Array:
    return weights if active is None else jnp.where(active, weights, 0)


class AnchorTable(nn.Module):
    """V rows of D dimensions as `transform [V, K] @ anchors [K, D]` (eq. 1).

    >>> table = AnchorTable(num_rows=1000, num_anchors=8, dim=16)
    >>> active = jnp.ones(8, bool)
    >>> rows, _ = table.init_with_output(jax.random.key(0), jnp.array([3, 7]), active)
    >>> rows.shape
    (2, 16)
    """

    num_rows: int
    num_anchors: int
    dim: int

    @property
    def num_entries(self) -> int:
        """K: entries of a row before it is mixed."""
        return self.num_anchors

    def setup(self):
        shape = (self.num_rows, self.num_anchors)
        self.transform = self.param("transform", random_transform, shape)
        self.anchors = self.param("anchors", random_anchors, (self.num_anchors, self.dim))

    def __call__(self, ids: jax.Array, active: jax.Array) -> jax.Array:
        """Mixes rows: ids int [B], active bool [K], which anchors count -> [B, D]."""
        return mix(self.transform[ids], self.anchors, active)

    def mean(self, seen: jax.Array, active: jax.Array) -> jax.Array:
        """Computes the mean of the rows that `seen` [V], 0 or 1, marks: [D]."""
        weights = seen / jnp.maximum(seen.sum(), 1)
        return mix(weights @ self.transform, self.anchors, active)


def random_transform(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Draws first values of T, at least 0."""
    return TRANSFORM_SCALE * jnp.abs(jax.random.normal(key, shape, dtype))


def random_anchors(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Draws first values of A."""
    return ANCHOR_SCALE * jax.random.normal(key, shape, dtype)
