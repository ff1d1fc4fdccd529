"""Anchor & Transform: a table whose rows are sparse non-negative mixes of a few anchors.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197. E = T A (eq. 1): anchors A are dense and few, the
transform T is sparse and at least 0, by an L1 penalty and the proximal step (algorithm 1,
`jaxcompress/optim.py`). NBANT lets the objective choose the number of anchors.

Axis letters: B batch, V rows, K anchors (NBANT: as many as there may be), D dimensions.

Departures from the paper, both off in `configs/*.py:ant-paper`:
- After the L1 phase the entries of T that matter least are dropped until a number of parameters is
  met, and what is left is fitted without penalty: L1 shrinks what it keeps.
- NBANT goes on in the direction in which its objective falls (`climb`); the rule of the reference
  grows on falling objectives and shrinks on rising ones, whatever the last change was.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

TRANSFORM_SCALE, ANCHOR_SCALE = 0.1, 0.5  # of the first values


class AnchorTable(nn.Module):
    """V rows of D dimensions as `transform [V, K] @ anchors [K, D]`."""

    num_rows: int
    num_anchors: int
    dim: int

    def setup(self):
        shape = (self.num_rows, self.num_anchors)
        self.transform = self.param("transform", random_transform, shape)
        self.anchors = self.param("anchors", random_anchors, (self.num_anchors, self.dim))

    def __call__(self, ids: jax.Array, active: jax.Array) -> jax.Array:
        """Mixes rows (eq. 1): ids int [B], active bool [K] -> [B, D]."""
        return jnp.where(active, self.transform[ids], 0.0) @ self.anchors

    def mean(self, seen: jax.Array, active: jax.Array) -> jax.Array:
        """The mean of the rows that `seen` [V] marks: [D]."""
        weights = seen / jnp.maximum(seen.sum(), 1)
        return jnp.where(active, weights @ self.transform, 0.0) @ self.anchors


def random_transform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """First values of T, at least 0."""
    return TRANSFORM_SCALE * jnp.abs(jax.random.normal(key, shape))


def random_anchors(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """First values of A."""
    return ANCHOR_SCALE * jax.random.normal(key, shape)
