"""What changes between steps, after an evaluation: rows arrive, anchors join or leave, entries go.

All of it is one pure function of the state and the evaluation's sums, and no shape changes.

Axis letters: V rows of a table, K entries of a row, D dimensions.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxcompress.anchors.growth import RULES, Growth, objective, observe, resize
from jaxcompress.anchors.pruning import gradual_count, keep_largest, saliency
from jaxcompress.anchors.table import random_transform
from jaxcompress.ant.config import Config, GrowthConfig, PenaltyConfig
from jaxcompress.ant.effects import Effects
from jaxcompress.ant.model import SIDES, bias_name, num_others, sparse_param
from jaxcompress.ant.schedule import Schedule
from jaxcompress.ant.starts import NEVER, Start
from jaxcompress.engine.task import unchanged


def make_after_eval(
    config: Config, starts: Mapping[str, Start], schedule: Schedule, biases: Mapping[int, Effects]
) -> Callable:
    """Makes `step, key, params, aux, sums -> params, aux`; `unchanged` if nothing ever changes."""
    penalty, is_stream = config.penalty, config.stream.window is not None
    if not (is_stream or schedule.grown or penalty.num_parameters):
        return unchanged
    first_steps = {side: jnp.asarray(starts[side].first_steps, jnp.int32) for side in SIDES}

    if changes_biases := len(biases) > 1:
        first_of = jnp.array(list(biases))
        values_of = jax.tree.map(lambda *x: jnp.stack(x), *map(as_params, biases.values()))

    def after_eval(step, key, params, aux, sums):
        if is_stream:  # the next window begins
            aux = {**aux, **{s: _arrived(aux[s], first_steps[s] <= step, sums, s) for s in SIDES}}
            if changes_biases:
                window = jnp.searchsorted(first_of, step, side="right") - 1
                params = {**params, **jax.tree.map(lambda values: values[window], values_of)}
        counts = {side: counts_of(aux, starts, side) for side in SIDES}
        if schedule.grown:
            value = _objective_of(sums["valid"], aux, config.growth)
            params, aux = grow(config.growth, schedule.grown, counts, step, key, params, aux, value)
            for side in SIDES:  # rows that never come have nothing to learn
                comes = (first_steps[side] < NEVER)[:, None]
                transform = jnp.where(comes, params[side]["transform"], 0.0)
                params[side] = {**params[side], "transform": transform}
        if penalty.num_parameters:
            is_time = (step >= schedule.prune) & (step <= schedule.debias)
            params = jax.lax.cond(
                is_time, lambda: prune(penalty, schedule, counts, step, params, aux), lambda: params
            )
        return params, aux

    return after_eval


def as_params(effects: Effects) -> dict[str, jax.Array]:
    """Takes effects as the parameters of a model with biases."""
    values = (effects.constant, effects.users, effects.items)
    names = ("bias", *map(bias_name, SIDES))
    return {name: jnp.asarray(x, jnp.float32) for name, x in zip(names, values, strict=True)}


def counts_of(aux: dict, starts: Mapping[str, Start], side: str) -> jax.Array:
    """Takes the ratings of each row, of a stream those that have come: float32 [V]."""
    if "counts" in aux[side]:
        return aux[side]["counts"]
    return jnp.asarray(starts[side].counts, jnp.float32)


def _arrived(masks: dict, seen: jax.Array, sums: dict, side: str) -> dict:
    """Lets the window that was just evaluated arrive, which is trained on next."""
    masks = {**masks, "seen": seen}
    if "counts" in masks:
        masks["counts"] += sums["valid"][f"{side}_counts"]
    return masks


def _anchors_in_use(aux: dict) -> jax.Array:
    """The numbers of anchors of users and of items, int [2]."""
    return jnp.stack([aux[side]["active"].sum() for side in SIDES])


def _objective_of(sums: dict, aux: dict, growth: GrowthConfig) -> jax.Array:
    value = objective(
        sums["squared_error"] / sums["count"],
        sums["nnz"] / sums["count"],
        _anchors_in_use(aux).sum(),
        growth.anchor_penalty,
        growth.nonzero_penalty,
    )
    return value.astype(jnp.float32)


def grow(
    options: GrowthConfig,
    grown: int,
    counts: dict[str, jax.Array],
    step: jax.Array,
    key: jax.Array,
    params: dict,
    aux: dict,
    value: jax.Array,
) -> tuple[dict, dict]:
    """Lets NBANT change its numbers of anchors (Liang et al., section 3.2).

    Args:
        options: the rule, and by how many anchors a table changes.
        grown: the step at which the best numbers so far are taken; afterwards nothing changes.
        counts: of each side [V], training ratings of each row.
        step: int [], optimiser steps so far.
        key: key of the first values of anchors that join.
        params: parameters, see `make_task`.
        aux: masks and what growth remembers.
        value: float32 [], the objective of this evaluation.

    Returns:
        params, aux.
    """
    numbers = _anchors_in_use(aux)
    growth = observe(Growth(**aux["growth"]), value, numbers, RULES[options.rule])
    change = growth.direction * options.delta * jnp.ones(2, jnp.int32)
    change = jnp.where(step < grown, change, growth.best_count - numbers)
    change = jnp.where(step > grown, 0, change)
    importance = _saliencies(counts, params, aux)
    params, aux = dict(params), {**aux, "growth": growth._asdict()}
    for i, side in enumerate(SIDES):
        table, active = resize(
            jax.random.fold_in(key, i), params[side], aux[side]["active"], change[i],
            importance=importance[side].sum(axis=0), transform_init=random_transform,
        )  # fmt: skip
        params[side] = table
        aux[side] = {**aux[side], "active": active}
    return params, aux


def prune(
    penalty: PenaltyConfig,
    schedule: Schedule,
    counts: dict[str, jax.Array],
    step: jax.Array,
    params: dict,
    aux: dict,
) -> dict:
    """Sets entries to 0, on the way to `penalty.num_parameters` parameters in all.

    Args:
        penalty: the number of parameters, and which entries go first.
        schedule: when pruning begins and ends.
        counts: of each side [V], training ratings of each row.
        step: int [], optimiser steps so far.
        params: parameters, see `make_task`.
        aux: masks.

    Returns:
        params.
    """
    tables = [params[side][sparse_param(params[side])] for side in SIDES]
    if penalty.selection == "saliency":
        scores = list(_saliencies(counts, params, aux).values())
    else:
        scores = [jnp.abs(table) for table in tables]
    # Entries of anchors that are not in use go first.
    scores = [jnp.where(aux[side]["active"], s, 0.0) for side, s in zip(SIDES, scores, strict=True)]
    full = sum((counts[side] > 0).sum() * aux[side]["active"].sum() for side in SIDES)
    target = jnp.maximum(penalty.num_parameters - num_others(params, aux), 1)
    count = gradual_count(step, schedule.prune, schedule.debias, full, target)
    params = dict(params)
    for side, table in zip(SIDES, keep_largest(scores, tables, count), strict=True):
        params[side] = {**params[side], sparse_param(params[side]): table}
    return params


def _saliencies(counts: dict, params: dict, aux: dict) -> dict[str, jax.Array]:
    """Computes the saliency of each side's entries; a dense table's anchors are unit vectors."""
    transforms, anchors, rows = {}, {}, {}
    for side in SIDES:
        table = params[side]
        transforms[side] = jnp.where(aux[side]["active"], table[sparse_param(table)], 0.0)
        anchors[side] = table.get("anchors", jnp.eye(transforms[side].shape[1]))
        rows[side] = transforms[side] @ anchors[side]
    found = {}
    for side, other in (SIDES, SIDES[::-1]):
        weight = counts[other][:, None] / counts[other].sum()
        products = (weight * rows[other]).T @ rows[other]
        found[side] = saliency(transforms[side], anchors[side], counts[side], products)
    return found
