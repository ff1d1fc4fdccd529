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

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

TRANSFORM_SCALE, ANCHOR_SCALE = 0.1, 0.5  # of the first values
_COUNT_POWER = 0.7  # p of `saliency`


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


# Which entries of T matter.


def saliency(
    transform: jax.Array, anchors: jax.Array, counts: jax.Array, others: jax.Array
) -> jax.Array:
    """How much the squared error over all ratings rises when an entry of T is set to 0.

    `T[v, k]^2 * counts[v]^p * A[k] C A[k]'`, with C the mean outer product of the rows that row v
    is multiplied by. At p = 1 this is the diagonal second-order term of "Optimal Brain Damage"
    (LeCun et al., 1989) for predictions that are inner products, with one C for all rows; at 0.7
    frequent rows get fewer entries, which generalises better: their last ones fit noise.

    Args:
        transform: [V, K].
        anchors: [K, D].
        counts: [V], ratings of a row.
        others: C [D, D].

    Returns:
        [V, K].
    """
    curvature = jnp.einsum("kd,de,ke->k", anchors, others, anchors)
    return transform**2 * counts[:, None] ** _COUNT_POWER * curvature


def keep_largest(scores: list[jax.Array], tables: list[jax.Array], count: Any) -> list[jax.Array]:
    """Sets all entries of the tables to 0 but the `count` of largest scores; ties are kept."""
    ordered = jnp.sort(jnp.concatenate([score.reshape(-1) for score in scores]))
    threshold = ordered[jnp.clip(len(ordered) - count, 0, len(ordered) - 1)]
    return [jnp.where(s >= threshold, t, 0.0) for s, t in zip(scores, tables, strict=True)]


def gradual_count(step: jax.Array, start: int, end: int, full: int, target: int) -> jax.Array:
    """Entries kept at a step: all at `start`, `target` from `end` on, along a cubic curve.

    Zhu & Gupta, "To prune, or not to prune", 2017, arXiv 1710.01878, eq. 1.
    """
    left = jnp.clip(1.0 - (step - start) / max(end - start, 1), 0.0, 1.0) ** 3
    return (target + (full - target) * left).astype(jnp.int32)


# NBANT: how many anchors.


class Growth(NamedTuple):
    """What NBANT remembers.

    Attributes:
        objectives: float32 [3], of the last three evaluations, the newest last.
        num_evaluations: int32 [].
        direction: int32 [], 1 or -1: the last change.
        best: float32 [], the least objective so far.
        best_count: int32 [2], the numbers of anchors that gave it.
    """

    objectives: jax.Array
    num_evaluations: jax.Array
    direction: jax.Array
    best: jax.Array
    best_count: jax.Array


def no_growth() -> Growth:
    """The state before the first evaluation."""
    return Growth(
        jnp.full(3, jnp.inf, jnp.float32),
        jnp.int32(0),
        jnp.int32(1),
        jnp.float32(jnp.inf),
        jnp.zeros(2, int),
    )


def objective(
    loss: Any, num_nonzero: Any, num_anchors: Any, anchor_penalty: float, penalty: float
) -> Any:
    """The objective of NBANT (eq. 6): loss + lambda2 ||T||_0 + (lambda1 - lambda2) K."""
    return loss + penalty * num_nonzero + (anchor_penalty - penalty) * num_anchors


def observe(growth: Growth, value: jax.Array, num_anchors: jax.Array) -> Growth:
    """Notes an evaluation: its objective and the numbers of anchors, int [2]."""
    is_best = value <= growth.best
    return growth._replace(
        objectives=jnp.append(growth.objectives[1:], value),
        num_evaluations=growth.num_evaluations + 1,
        best=jnp.where(is_best, value, growth.best),
        best_count=jnp.where(is_best, num_anchors, growth.best_count),
    )


def trend(growth: Growth) -> jax.Array:
    """The rule of the reference: -1, 0 or 1.

    1 where the objective did not rise over the last three evaluations, or there are fewer; -1
    where it did not fall.
    """
    first, second, third = growth.objectives
    grows = (growth.num_evaluations < 3) | ((third <= second) & (second <= first))
    shrinks = (third >= second) & (second >= first)
    return jnp.where(grows, 1, jnp.where(shrinks, -1, 0))


def climb(growth: Growth) -> jax.Array:
    """Goes on where the last change did not raise the objective, and turns where it did."""
    rose = growth.objectives[2] > growth.objectives[1]
    return jnp.where(rose, -growth.direction, growth.direction)


RULES = {"trend": trend, "climb": climb}


def resize(
    key: jax.Array,
    transform: jax.Array,
    anchors: jax.Array,
    active: jax.Array,
    importance: jax.Array,
    change: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Adds or drops anchors; shapes stay, so that nothing is compiled anew.

    Args:
        key: for the first values of anchors that join.
        transform: [V, K].
        anchors: [K, D].
        active: bool [K].
        importance: [K]; the least important anchors are dropped.
        change: int []; how many join (at most those that are free) or go (one is always left).

    Returns:
        transform, anchors, active.
    """
    joins = ~active & (jnp.cumsum(~active) <= change)
    order = jnp.argsort(jnp.argsort(jnp.where(active, importance, jnp.inf)))
    goes = active & (order < jnp.minimum(-change, active.sum() - 1))
    keys = jax.random.split(key)
    transform = jnp.where(joins, random_transform(keys[0], transform.shape), transform)
    anchors = jnp.where(joins[:, None], random_anchors(keys[1], anchors.shape), anchors)
    transform = jnp.where(goes, 0.0, transform)
    return transform, anchors, (active | joins) & ~goes
