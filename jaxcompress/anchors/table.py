"""The module of a table of mixes, and its first values.

Axis letters: B batch, V rows, K anchors (of a table that grows: as many as there may be),
D dimensions.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

TRANSFORM_SCALE, ANCHOR_SCALE = 0.1, 0.5  # standard deviations of the first values


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
        return jnp.where(active, self.transform[ids], 0.0) @ self.anchors

    def mean(self, seen: jax.Array, active: jax.Array) -> jax.Array:
        """Computes the mean of the rows that `seen` [V], 0 or 1, marks: [D]."""
        weights = seen / jnp.maximum(seen.sum(), 1)
        return jnp.where(active, weights @ self.transform, 0.0) @ self.anchors


def random_transform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws first values of T, at least 0."""
    return TRANSFORM_SCALE * jnp.abs(jax.random.normal(key, shape))


def random_anchors(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws first values of A."""
    return ANCHOR_SCALE * jax.random.normal(key, shape)
