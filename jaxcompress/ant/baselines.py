"""What anchors are judged against: dense tables, tables of mixed dimensions, a deeper network.

Axis letters: B batch, V rows, D dimensions.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse

_SCALE = 0.1  # standard deviation of the first values


def _random(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return _SCALE * jax.random.normal(key, shape)


class DenseTable(nn.Module):
    """V rows of D dimensions, every entry a parameter."""

    num_rows: int
    dim: int

    @property
    def num_entries(self) -> int:
        """K, which is D."""
        return self.dim

    def setup(self):
        self.table = self.param("table", _random, (self.num_rows, self.dim))

    def __call__(self, ids: jax.Array, active: jax.Array) -> jax.Array:
        """Takes rows: ids int [B], active bool [D] -> [B, D]."""
        return jnp.where(active, self.table[ids], 0.0)

    def mean(self, seen: jax.Array, active: jax.Array) -> jax.Array:
        """Computes the mean of the rows that `seen` [V], 0 or 1, marks: [D]."""
        return jnp.where(active, seen / jnp.maximum(seen.sum(), 1) @ self.table, 0.0)


class MixedDimensionTable(nn.Module):
    """Rows in blocks by frequency; the rarer a block, the fewer dimensions, projected to D.

    Ginart et al., "Mixed Dimension Embeddings with Application to Memory-Efficient Recommendation
    Systems", ISIT 2021, arXiv 1909.11810. Block b holds rows `starts[b]` to `starts[b + 1]` of the
    order by frequency; a row's place in it is its rank less `starts[b]`, so that no two share one.

    Attributes:
        ranks: the place of each row in the order by falling frequency, V numbers.
        starts: the first rank of each block, and V at the end.
        dims: dimensions of each block; a block of D dimensions has no projection.
        dim: D.
    """

    ranks: tuple[int, ...]
    starts: tuple[int, ...]
    dims: tuple[int, ...]
    dim: int

    @property
    def num_rows(self) -> int:
        """V."""
        return len(self.ranks)

    @property
    def num_entries(self) -> int:
        """K, which is D: `active` has that length, and these tables ignore it."""
        return self.dim

    def setup(self):
        tables, projections = [], []
        for b, dim in enumerate(self.dims):
            size = self.starts[b + 1] - self.starts[b]
            tables.append(self.param(f"table_{b}", _random, (size, dim)))
            if dim < self.dim:
                init = nn.initializers.normal(1.0 / np.sqrt(dim))
                projections.append(self.param(f"projection_{b}", init, (dim, self.dim)))
            else:
                projections.append(None)
        self.blocks = list(zip(tables, projections, strict=True))

    def __call__(self, ids: jax.Array, active: jax.Array) -> jax.Array:
        """Takes and projects rows: ids int [B] -> [B, D]."""
        ranks, rows = jnp.asarray(self.ranks, jnp.int32)[ids], 0.0
        for b, (table, projection) in enumerate(self.blocks):
            place = ranks - self.starts[b]
            inside = (place >= 0) & (place < len(table))
            found = jnp.where(inside[:, None], table[jnp.clip(place, 0, len(table) - 1)], 0.0)
            rows += found if projection is None else found @ projection
        return rows

    def factors(self, table: dict[str, np.ndarray]) -> tuple[Any, np.ndarray]:
        """Splits all rows into entries, [V, K] of scipy.sparse, and what they are multiplied by.

        Args:
            table: the parameters on the host.

        Returns:
            T and A [K, D], whose product is the table; K is the dimensions of all blocks.
        """
        blocks = [table[f"table_{b}"] for b in range(len(self.dims))]
        bases = [table.get(f"projection_{b}", np.eye(self.dim, dtype=np.float32))
                 for b in range(len(self.dims))]  # fmt: skip
        by_rank = scipy.sparse.block_diag(blocks, format="csr")
        return by_rank[np.array(self.ranks)], np.concatenate(bases)

    def mean(self, seen: jax.Array, active: jax.Array) -> jax.Array:
        """Computes the mean of the rows that `seen` [V], 0 or 1, marks: [D]."""
        by_rank = jnp.zeros(len(seen)).at[jnp.asarray(self.ranks, jnp.int32)].set(seen)
        total = 0.0
        for b, (table, projection) in enumerate(self.blocks):
            some = by_rank[self.starts[b] : self.starts[b + 1]] @ table
            total += some if projection is None else some @ projection
        return total / jnp.maximum(seen.sum(), 1)


def mixed_dimensions(
    counts: np.ndarray, num_blocks: int, dim: int, alpha: float
) -> MixedDimensionTable:
    """Makes a table of blocks of equal total frequency, with dimensions by the power rule.

    Block b has `dim * (p_b / p_0)^alpha` dimensions, p_b the mean frequency of its rows (Ginart et
    al., section 4), rounded, at least 1.

    Args:
        counts: [V], training ratings of each row.
        num_blocks: blocks at most; each has at least one row.
        dim: D.
        alpha: the temperature of the rule; 0 gives all blocks D dimensions.

    >>> mixed_dimensions(np.array([100, 30, 58, 9, 3]), num_blocks=2, dim=8, alpha=0.5).dims
    (8, 4)
    """
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(len(counts), np.int64)
    ranks[order] = np.arange(len(counts))
    falling = np.maximum(counts[order], 1e-9).astype(np.float64)
    share = (np.cumsum(falling) - falling) / falling.sum()
    starts = np.unique(np.searchsorted(share, np.arange(num_blocks) / num_blocks))
    ends = np.append(starts[1:], len(counts))
    means = np.array([falling[a:b].mean() for a, b in zip(starts, ends, strict=True)])
    dims = np.clip(np.round(dim * (means / means[0]) ** alpha), 1, dim).astype(int)
    bounds = (*map(int, starts), len(counts))
    return MixedDimensionTable(tuple(ranks.tolist()), bounds, tuple(dims.tolist()), dim)


class NeuralFactorization(nn.Module):
    """Neural collaborative filtering: an inner product with weights, beside a perceptron.

    He et al., "Neural Collaborative Filtering", WWW 2017, arXiv 1708.05031, eq. 12. Departures from
    it: both branches read the same tables, and the output is linear, since it is a rating.

    Attributes:
        hidden_sizes: units of each hidden layer of the perceptron.
    """

    hidden_sizes: Sequence[int]

    @nn.compact
    def __call__(self, users: jax.Array, items: jax.Array) -> jax.Array:
        """Computes a number for each pair of rows: users, items [B, D] -> [B]."""
        hidden = jnp.concatenate([users, items], axis=-1)
        for size in self.hidden_sizes:
            hidden = nn.relu(nn.Dense(size)(hidden))
        both = jnp.concatenate([users * items, hidden], axis=-1)
        ones = nn.initializers.constant(1.0)
        return nn.Dense(1, use_bias=False, kernel_init=ones)(both)[:, 0]
