"""NBANT: the number of anchors is chosen by the objective of the task itself.

Liang et al., ICLR 2021, section 3.2. Anchors join or leave at evaluations; arrays have room for the
largest number from the start and `active` marks those in use, so that nothing is compiled anew.

Axis letters: V rows, K anchors that there is room for, D dimensions.

Departure from the paper: `climb` (see there).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcompress.anchors.table import random_anchors, random_transform


class Growth(NamedTuple):
    """What NBANT remembers of its evaluations.

    Attributes:
        objectives: float32 [3], objectives of the last three evaluations, the newest last; infinite
            before there are any.
        num_evaluations: int32 [], evaluations so far.
        direction: int32 [], the last change: 1 or 0 or -1 by the rule of the authors, 1 or -1 by
            `climb`.
        best: float32 [], the least objective so far.
        best_count: int32 [2], the numbers of anchors, users' and items', that gave it.
    """

    objectives: jax.Array
    num_evaluations: jax.Array
    direction: jax.Array
    best: jax.Array
    best_count: jax.Array


def no_growth() -> Growth:
    """Makes the state before the first evaluation."""
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
    """Computes the objective of NBANT (eq. 6): loss + lambda2 ||T||_0 + (lambda1 - lambda2) K.

    Args:
        loss: mean squared error, or another mean loss of the task.
        num_nonzero: ||T||_0, entries that are not zero, over all tables.
        num_anchors: K, over all tables.
        anchor_penalty: lambda1.
        penalty: lambda2.

    >>> round(objective(0.5, 1000, 20, anchor_penalty=0.01, penalty=2e-6), 6)
    0.70196
    """
    return loss + penalty * num_nonzero + (anchor_penalty - penalty) * num_anchors


def observe(growth: Growth, value: jax.Array, num_anchors: jax.Array) -> Growth:
    """Remembers an evaluation: its objective, and the numbers of anchors that it had, int [2]."""
    is_best = value <= growth.best
    return growth._replace(
        objectives=jnp.append(growth.objectives[1:], value),
        num_evaluations=growth.num_evaluations + 1,
        best=jnp.where(is_best, value, growth.best),
        best_count=jnp.where(is_best, num_anchors, growth.best_count),
    )


def trend(growth: Growth) -> jax.Array:
    """Chooses a change by the rule of the authors' code: -1, 0 or 1, int [].

    1 if the objective did not rise over the last three evaluations, or if there are fewer; -1 if it
    did not fall; 0 if it did both. The last change makes no difference.
    """
    first, second, third = growth.objectives
    grows = (growth.num_evaluations < 3) | ((third <= second) & (second <= first))
    shrinks = (third >= second) & (second >= first)
    return jnp.where(grows, 1, jnp.where(shrinks, -1, 0))


def climb(growth: Growth) -> jax.Array:
    """Chooses a change, -1 or 1, int []: the last one again, or its opposite if the objective rose.

    Departure from the paper: with `trend`, a run whose objective falls while anchors leave would
    let them join again.
    """
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
    """Lets anchors join or leave; shapes stay.

    Args:
        key: key of the first values of anchors that join.
        transform: T [V, K].
        anchors: A [K, D].
        active: bool [K], anchors in use.
        importance: [K]; the least important anchors leave.
        change: int [], how many join (at most those that are free), or leave if it is negative
            (at least one stays).

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
