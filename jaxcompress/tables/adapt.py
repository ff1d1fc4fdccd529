"""What becomes of a table of anchors between steps: anchors join or leave, then entries go.

Both are pure functions of the state at an evaluation, and no shape changes. The number of anchors
follows the objective of NBANT (Liang et al., ICLR 2021, section 3.2). That entries are pruned until
a number of them is left, and the others fitted without a penalty, is no part of the paper.

Axis letters: V rows, K anchors that there is room for, D dimensions.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.anchors.growth import Growth, climb, no_growth, objective, observe, resize
from jaxcompress.anchors.pruning import gradual_count, keep_largest, saliency
from jaxcompress.anchors.table import ANCHOR_SCALE
from jaxcompress.anchors.yogi import proximal_yogi
from jaxcompress.errors import InputError
from jaxcompress.tables.config import ADAPTIVE_RATE, TableConfig

_PRUNE, _SETTLE = 1 / 3, 2 / 3  # shares of a run at which pruning begins, after growth, and ends
_CHANGES = 24  # evaluations, at least, of a run whose tables change after them
_EPS = 1e-6  # Yogi's epsilon: gradients of a word's row are far smaller than the paper's 1e-3


class Plan(NamedTuple):
    """When a table of anchors changes, in steps, each that of an evaluation.

    Attributes:
        grown: the step at which NBANT takes the best number of anchors; 0: it is given.
        prune: the step at which pruning begins.
        settled: the step from which the entries that are left stay, without a penalty; None: none
            are pruned.
        best_from: the first step whose state has what the run ends with.
    """

    grown: int
    prune: int
    settled: int | None
    best_from: int


def make_plan(config: TableConfig, num_steps: int, eval_every: int) -> Plan:
    """Lays out a run: growth in the first third, pruning in the second.

    Raises:
        InputError: if there are too few evaluations for it.
    """
    grows, prunes = config.kind == "nbant", config.nonzeros is not None
    first, second = (round(share * num_steps / eval_every) for share in (_PRUNE, _SETTLE))
    if (grows or prunes) and not 0 < first < second:
        raise InputError(
            f"a run of {num_steps} steps with an evaluation every {eval_every} is too short for "
            "anchors that join or entries that go; raise num_epochs or num_steps, or lower "
            "eval_every."
        )
    grown, settled = first * eval_every * grows, second * eval_every if prunes else None
    last = settled if prunes else grown
    return Plan(grown, first * eval_every, settled, last + 1 if last else 0)


def evaluation_period(usual: int, num_steps: int) -> int:
    """Steps between evaluations of a run whose tables change after them, at most the usual ones.

    >>> evaluation_period(1000, num_steps=60_000), evaluation_period(1000, num_steps=12_000)
    (1000, 500)
    """
    return max(1, min(usual, num_steps // _CHANGES))


def first_masks(config: TableConfig) -> dict[str, Any]:
    """Makes what a table keeps beside its parameters: `active` bool [K], and what growth knows."""
    if config.kind != "nbant":
        return {"active": jnp.ones(config.num_anchors, bool)}
    active = jnp.arange(config.max_anchors) < config.num_anchors
    return {"active": active, "growth": no_growth()._asdict()}


def adapt(
    config: TableConfig,
    plan: Plan,
    counts: np.ndarray,
    step: jax.Array,
    key: jax.Array,
    params: dict[str, jax.Array],
    aux: dict[str, Any],
    loss: jax.Array,
) -> tuple[dict[str, jax.Array], dict[str, Any]]:
    """Lets anchors join or leave, or entries go, after an evaluation.

    Args:
        config: the table's.
        plan: of the run.
        counts: [V], how often each row is trained on, by which entries are weighed.
        step: int [], optimiser steps so far.
        key: of the first values of anchors that join.
        params: `transform` [V, K] and `anchors` [K, D].
        aux: what `first_masks` makes.
        loss: of the task, by the evaluation, float [].

    Returns:
        params, aux.
    """
    counts = jnp.asarray(counts, jnp.float32)
    if plan.grown:
        params, aux = _grow(config, plan, counts, step, key, params, aux, loss)
    if plan.settled is not None:
        transform, active = params["transform"], aux["active"]
        full = len(transform) * active.sum()
        left = gradual_count(step, plan.prune, plan.settled, full, config.nonzeros)
        (transform,) = keep_largest([_scores(params, active, counts)], [transform], left)
        params = {**params, "transform": transform}
    return params, aux


def _scores(params: dict, active: jax.Array, counts: jax.Array) -> jax.Array:
    """Saliencies [V, K] of entries; those of anchors that are not in use are 0."""
    anchors = params["anchors"]
    found = saliency(params["transform"], anchors, counts, jnp.eye(anchors.shape[1]))
    return jnp.where(active, found, 0.0)


def _grow(
    config: TableConfig,
    plan: Plan,
    counts: jax.Array,
    step: jax.Array,
    key: jax.Array,
    params: dict[str, jax.Array],
    aux: dict[str, Any],
    loss: jax.Array,
) -> tuple[dict[str, jax.Array], dict[str, Any]]:
    """Lets anchors join or leave, and at the end of growth as many be there as were best."""
    active, number = aux["active"], aux["active"].sum()
    nonzeros = ((params["transform"] != 0) & active).sum()
    value = objective(loss, nonzeros, number, config.anchor_penalty, config.nonzero_penalty)
    growth = observe(Growth(**aux["growth"]), value.astype(jnp.float32), number, climb)
    change = jnp.where(step < plan.grown, growth.direction * config.delta,
                       growth.best_count - number)  # fmt: skip
    change = jnp.where(step > plan.grown, 0, change)
    importance = _scores(params, active, counts).sum(axis=0)
    size = jnp.sqrt(jnp.mean(params["anchors"] ** 2, axis=1) @ active / number)
    params, now = resize(key, params, active, change, importance=importance)
    # What joins is as long as those that are there.
    joined = (now & ~active)[:, None]
    anchors = jnp.where(joined, size / ANCHOR_SCALE, 1.0) * params["anchors"]
    return {**params, "anchors": anchors}, {"active": now, "growth": growth._asdict()}


def anchors_optimizer(
    config: TableConfig, plan: Plan, falls: optax.Schedule
) -> optax.GradientTransformation:
    """Makes proximal Yogi for a table of anchors; T stays at least 0 and what is 0 exactly so.

    Args:
        config: the table's, with rate and penalty.
        plan: of the run: what is left by pruning is fitted without a penalty.
        falls: step -> what the rate is multiplied by.
    """
    rate = config.learning_rate or ADAPTIVE_RATE
    return proximal_yogi(
        lambda step: rate * falls(step),
        config.penalty,
        fixed_from=plan.settled,
        eps=_EPS,
        initial_nu=_EPS**2,
    )
