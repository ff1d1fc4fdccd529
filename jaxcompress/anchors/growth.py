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

import jax
import jax.numpy as jnp

from jaxcompress.anchors.table import random_anchors, random_transform


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
