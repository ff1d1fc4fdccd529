"""NBANT: the number of anchors is chosen by the objective of the task itself.

Liang et al., ICLR 2021, section 3.2. Anchors join or leave at evaluations; arrays have room for the
largest number from the start and `active` marks those in use, so that nothing is compiled anew.

Axis letters: V rows, K anchors that there is room for, D dimensions.

Departure from the paper: `climb` (see there).
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax.linen.initializers import Initializer, zeros

from jaxcompress.anchors.table import random_anchors


class Growth(NamedTuple):
    """What NBANT remembers of its evaluations.

    Attributes:
        objectives: float32 [3], objectives of the last three evaluations, the newest last; infinite
            before there are any.
        num_evaluations: int32 [], evaluations so far.
        direction: int32 [], whether anchors join, 1, or leave, -1, or neither, 0, as the rule found
            at the last evaluation.
        best: float32 [], the least objective so far.
        best_count: int32, the number of anchors that gave it; of several tables an array of them.
    """

    objectives: jax.Array
    num_evaluations: jax.Array
    direction: jax.Array
    best: jax.Array
    best_count: jax.Array


def no_growth(num_tables: int | None = None) -> Growth:
    """Makes the state before the first evaluation.

    Args:
        num_tables: how many tables grow together; None: one, whose numbers are no arrays.
    """
    return Growth(
        jnp.full(3, jnp.inf, jnp.float32),
        jnp.int32(0),
        jnp.int32(1),
        jnp.float32(jnp.inf),
        jnp.zeros(() if num_tables is None else num_tables, int),
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


@functools.partial(jax.jit, static_argnames="rule")
def observe(
    growth: Growth,
    value: jax.Array,
    num_anchors: jax.Array,
    rule: Callable[[Growth], jax.Array] = climb,
) -> Growth:
    """Remembers an evaluation, and chooses by a rule whether anchors join or leave.

    Args:
        growth: what is remembered.
        value: float [], the objective.
        num_anchors: the number of anchors that it had, int []; of several tables [num_tables].
        rule: `climb` or `trend`.

    Returns:
        What is remembered now, with the choice as its `direction`.

    >>> growth = no_growth()
    >>> for value, number in ((3.0, 8), (2.0, 10), (2.5, 12)):
    ...     growth = observe(growth, value, number)
    >>> int(growth.direction), int(growth.best_count)
    (-1, 10)
    """
    is_best = value <= growth.best
    growth = growth._replace(
        objectives=jnp.append(growth.objectives[1:], value),
        num_evaluations=growth.num_evaluations + 1,
        best=jnp.where(is_best, value, growth.best),
        best_count=jnp.where(is_best, num_anchors, growth.best_count),
    )
    return growth._replace(direction=rule(growth))


@functools.partial(jax.jit, static_argnames="transform_init")
def resize(
    key: jax.Array,
    table: Mapping[str, jax.Array],
    active: jax.Array,
    change: jax.Array | int,
    *,
    importance: jax.Array | None = None,
    transform_init: Initializer = zeros,
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Lets anchors join or leave.

    Shapes stay, and so do compiled programs and the state of any optimiser. An anchor that joins is
    random, and no row has a share of it yet: the table is what it was, until training gives shares.

    Args:
        key: key of the first values of anchors that join.
        table: the parameters, `transform` [V, K] and `anchors` [K, D].
        active: bool [K], anchors in use.
        change: int [], how many join (at most those that are free), or leave if it is negative
            (at least one stays).
        importance: [K]; the least important anchors leave. None: what they add to the squares of
            the table, `|T[:, k]|^2 |A[k]|^2`.
        transform_init: first shares of anchors that join: `key, shape, dtype -> [V, K]`.

    Returns:
        table, active.
    """
    transform, anchors = table["transform"], table["anchors"]
    if importance is None:
        importance = (transform**2).sum(axis=0) * (anchors**2).sum(axis=1)
    joins = ~active & (jnp.cumsum(~active) <= change)
    order = jnp.argsort(jnp.argsort(jnp.where(active, importance, jnp.inf)))
    goes = active & (order < jnp.minimum(-change, active.sum() - 1))
    keys = jax.random.split(key)
    first = transform_init(keys[0], transform.shape, transform.dtype)
    transform = jnp.where(joins, first, jnp.where(goes, 0, transform))
    first = random_anchors(keys[1], anchors.shape, anchors.dtype)
    anchors = jnp.where(joins[:, None], first, anchors)
    return {"transform": transform, "anchors": anchors}, (active | joins) & ~goes
