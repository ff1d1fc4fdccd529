"""Ratings predicted from a user's row and an item's row, whatever tables the rows come from.

Matrix factorisation (Koren et al., "Matrix Factorization Techniques for Recommender Systems", 2009)
is an inner product and a bias; the tables are anchors (`jaxcompress/ant.py`) or what they are
judged against (`jaxcompress/baselines.py`), the network is the product or a deeper one.

Axis letters: B batch, V rows of a table, K entries of a row before it is mixed, D dimensions.
"""

import math
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.anchors.growth import RULES, Growth, no_growth, objective, observe, resize
from jaxcompress.anchors.proximal_yogi import proximal_yogi
from jaxcompress.anchors.pruning import gradual_count, keep_largest, saliency
from jaxcompress.ant.config import Config
from jaxcompress.ant.model import ENTRIES, SIDES, RatingModel, entries, num_nonzero, num_others
from jaxcompress.ant.schedule import Schedule
from jaxcompress.engine.task import Task, mean_metrics, unchanged


class Start(NamedTuple):
    """Of one side: what the data say before training.

    Attributes:
        counts: int [V], training ratings of each row.
        first_steps: int [V], the step from which on there are any; 2^31 - 1 for a row without.
        num_active: K at the start, of as many as the table has room for.
        params: first values in the place of random ones, by name.
        exempt: bool [V, K], entries that are not penalised; or None.
    """

    counts: np.ndarray
    first_steps: np.ndarray
    num_active: int
    params: dict[str, np.ndarray]
    exempt: np.ndarray | None = None


def make_optimizer(
    config: Config, schedule: Schedule, steps_per_epoch: int, starts: dict[str, Start]
) -> optax.GradientTransformation:
    """Proximal Yogi: the tables' entries are penalised, those of a transform stay at least 0."""
    optimizer, penalty = config.optimizer, config.penalty

    def rate(step):
        value = optimizer.learning_rate * optimizer.decay ** (step // optimizer.decay_steps)
        if schedule.cooldown:
            value *= jnp.clip((schedule.end - step) / schedule.cooldown, 0.0, 1.0)
        return value

    def raised(step):
        return jnp.minimum(1.0, step / max(1.0, penalty.warmup_epochs * steps_per_epoch))

    def weight(path, _):
        if path[-1].key not in ENTRIES:
            return None
        exempt = starts[path[0].key].exempt
        return penalty.transform * (1.0 if exempt is None else jnp.where(exempt, 0.0, 1.0))

    return proximal_yogi(
        rate,
        lambda params: jax.tree_util.tree_map_with_path(weight, params),
        penalty_schedule=raised,
        non_negative=lambda params: jax.tree_util.tree_map_with_path(
            lambda path, _: path[-1].key == "transform", params
        ),
        fixed_from=schedule.prune if schedule.prune < schedule.end else None,
        lazy=penalty.lazy,
    )


def make_task(
    config: Config,
    model: RatingModel,
    starts: dict[str, Start],
    schedule: Schedule,
) -> Task:
    """Builds the task.

    Args:
        config: penalties and growth.
        model: the tables and the network.
        starts: what the data say, by side.
        schedule: when phases begin.
    """
    penalty, growth = config.penalty, config.growth
    counts = {side: jnp.asarray(starts[side].counts, jnp.float32) for side in SIDES}
    first_steps = {side: jnp.asarray(starts[side].first_steps, jnp.int32) for side in SIDES}
    is_stream = config.stream.window is not None

    def init(key):
        about = {}
        for side in SIDES:
            room = _room(getattr(model, side))
            seen = first_steps[side] <= 0
            about[side] = {"seen": seen, "active": jnp.arange(room) < starts[side].num_active}
        batch = {side: jnp.zeros(1, jnp.int32) for side in SIDES}
        params = model.init(key, batch, about, fill=False)["params"]
        for side in SIDES:
            params[side] |= {name: jnp.asarray(v) for name, v in starts[side].params.items()}
            if name := entries(params[side]):
                params[side][name] *= counts[side][:, None] > 0  # no rating: nothing to learn
        return params, {**about, "growth": no_growth()._asdict()}

    def predict(params, aux, batch, fill):
        about = {side: aux[side] for side in SIDES}
        return model.apply({"params": params}, batch, about, fill=fill)

    def loss(params, aux, carry, batch, step, key):
        prediction, norms = predict(params, aux, batch, fill=False)
        error = jnp.mean((prediction - batch["values"]) ** 2)
        whole = error + penalty.l2 * jnp.mean(norms) if penalty.l2 else error
        return whole, (carry, {"mse": error})

    def evaluate(params, aux, carry, batch):
        prediction, _ = predict(params, aux, batch, fill=True)
        mask = batch["mask"].astype(jnp.float32)
        count = mask.sum()
        sums = {
            "squared_error": ((prediction - batch["values"]) ** 2) @ mask,
            "count": count,
            "nnz": num_nonzero(params, aux) * count,
            "parameters": (num_nonzero(params, aux) + num_others(params, aux)) * count,
        }
        for side in SIDES:
            sums[f"{side}_anchors"] = aux[side]["active"].sum() * count
        return carry, sums

    def metrics(sums):
        means = mean_metrics(sums)
        mse = means.pop("squared_error")
        anchors = means["users_anchors"] + means["items_anchors"]
        value = objective(mse, means["nnz"], anchors, growth.anchor_penalty,
                              growth.nonzero_penalty)  # fmt: skip
        return {"mse": mse, "rmse": math.sqrt(mse), "objective": value, **means}

    def after_eval(step, key, params, aux, sums):
        if is_stream:  # the next window begins
            aux = {**aux, **{s: {**aux[s], "seen": first_steps[s] <= step} for s in SIDES}}
        if schedule.grown:
            params, aux = _grow(config, schedule, counts, step, key, params, aux, sums["valid"])
        if penalty.num_parameters:
            is_time = (step >= schedule.prune) & (step <= schedule.debias)
            params = jax.lax.cond(
                is_time, lambda: _prune(config, schedule, counts, step, params, aux), lambda: params
            )
        return params, aux

    changes = is_stream or schedule.grown or penalty.num_parameters
    return Task(
        init=init,
        loss=loss,
        evaluate=evaluate,
        metrics=metrics,
        after_eval=after_eval if changes else unchanged,
    )


def _room(table: nn.Module) -> int:
    return getattr(table, "num_anchors", table.dim)


def _saliencies(counts: dict, params: dict, aux: dict) -> dict[str, jax.Array]:
    """The saliency of each side's entries; a dense table's anchors are the unit vectors."""
    rows, bases = {}, {}
    for side in SIDES:
        part, active = params[side], aux[side]["active"]
        table = jnp.where(active, part[entries(part)], 0.0)
        bases[side] = (table, part.get("anchors", jnp.eye(table.shape[1])))
        rows[side] = table @ bases[side][1]
    found = {}
    for side, other in (SIDES, SIDES[::-1]):
        weight = counts[other][:, None] / counts[other].sum()
        products = (weight * rows[other]).T @ rows[other]
        found[side] = saliency(*bases[side], counts[side], products)
    return found


def _prune(config: Config, schedule: Schedule, counts, step, params: dict, aux: dict) -> dict:
    """Drops entries on the way to `penalty.num_parameters`."""
    tables = [params[side][entries(params[side])] for side in SIDES]
    if config.penalty.selection == "saliency":
        scores = list(_saliencies(counts, params, aux).values())
    else:
        scores = [jnp.abs(table) for table in tables]
    # The entries of anchors that are not active count as none.
    scores = [jnp.where(aux[side]["active"], s, 0.0) for side, s in zip(SIDES, scores, strict=True)]
    full = sum((counts[side] > 0).sum() * aux[side]["active"].sum() for side in SIDES)
    target = jnp.maximum(config.penalty.num_parameters - num_others(params, aux), 1)
    count = gradual_count(step, schedule.prune, schedule.debias, full, target)
    kept = keep_largest(scores, tables, count)
    return {
        **params,
        **{side: {**params[side], entries(params[side]): t}
           for side, t in zip(SIDES, kept, strict=True)},
    }  # fmt: skip


def _grow(config: Config, schedule: Schedule, counts, step, key, params, aux, sums):
    """Lets NBANT change its numbers of anchors, and at the end of its phase take the best ones."""
    options = config.growth
    growth = Growth(**aux["growth"])
    numbers = jnp.stack([aux[side]["active"].sum() for side in SIDES])
    value = objective(
        sums["squared_error"] / sums["count"], sums["nnz"] / sums["count"], numbers.sum(),
        options.anchor_penalty, options.nonzero_penalty,
    )  # fmt: skip
    growth = observe(growth, value.astype(jnp.float32), numbers)
    direction = RULES[options.rule](growth)
    change = direction * options.delta * jnp.ones(2, jnp.int32)
    change = jnp.where(step < schedule.grown, change, growth.best_count - numbers)
    change = jnp.where(step > schedule.grown, 0, change)
    growth = growth._replace(direction=direction)
    importance = _saliencies(counts, params, aux)
    params, aux = dict(params), dict(aux)
    for i, side in enumerate(SIDES):
        transform, anchors, active = resize(
            jax.random.fold_in(key, i), params[side]["transform"], params[side]["anchors"],
            aux[side]["active"], importance[side].sum(axis=0), change[i],
        )  # fmt: skip
        transform = jnp.where(counts[side][:, None] > 0, transform, 0.0)
        params[side] = {**params[side], "transform": transform, "anchors": anchors}
        aux[side] = {**aux[side], "active": active}
    return params, {**aux, "growth": growth._asdict()}
