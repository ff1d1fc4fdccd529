"""What is trained on ratings: the squared error and its penalties, by proximal Yogi.

Liang et al., ICLR 2021, eq. 4: the mean squared error and `lambda2 ||T||_1`; T stays at least 0.
The L1 term is the optimiser's, which takes its proximal step. What changes between steps, the
number of anchors and the entries that are left, is in `adapt.py`.

Axis letters: B batch, V rows of a table, K entries of a row before it is mixed.
"""

import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from jaxcompress.anchors.growth import no_growth, objective
from jaxcompress.anchors.yogi import proximal_yogi
from jaxcompress.ant.adapt import as_params, counts_of, make_after_eval
from jaxcompress.ant.config import Config, GrowthConfig
from jaxcompress.ant.effects import Effects
from jaxcompress.ant.model import (
    SIDES,
    SPARSE_PARAMS,
    RatingModel,
    bias_name,
    masks_of,
    num_nonzero,
    num_others,
    sparse_param,
)
from jaxcompress.ant.schedule import Schedule
from jaxcompress.ant.starts import NEVER, Start
from jaxcompress.engine.task import Task, mean_metrics


def make_task(
    config: Config,
    model: RatingModel,
    starts: Mapping[str, Start],
    schedule: Schedule,
    biases: Mapping[int, Effects],
) -> Task:
    """Makes the task of learning ratings.

    - Batches: "users", "items" int32 [B], numbers of rows; "values" float32 [B], ratings; "mask"
      bool [B].
    - `params`: of each side a dictionary, "transform" [V, K] and "anchors" [K, D], or "table", or
      the blocks of a `MixedDimensionTable`; "bias" []; perhaps "users_bias", "items_bias" [V] and
      the network's.
    - `aux`: of each side "seen" bool [V] and "active" bool [K] (`model.py`), and of a stream
      "counts" float32 [V], its ratings so far; "growth", the fields of `anchors.growth.Growth`.
    - Sums: "squared_error"; of a stream "users_counts", "items_counts" [V]; and times "count", so
      that the mean is the number itself: "nnz", "parameters", "users_anchors", "items_anchors".
    - Figures: "mse", "rmse", NBANT's "objective", and the four numbers.

    Args:
        config: penalties and growth.
        model: tables and network.
        starts: what the ratings say of each side.
        schedule: when phases begin.
        biases: the first values of the biases, at step 0; of a stream, whose biases are not learned
            with the tables, those of all windows so far, by the step of the first of them; or none.
    """
    l2, counts_arrivals = config.penalty.l2, _counts_arrivals(config)

    def predict(params, aux, batch, fill):
        return model.apply({"params": params}, batch, masks_of(aux), fill=fill)

    def loss(params, aux, carry, batch, step, key):
        if fits_biases_alone(config):
            params = {name: jax.lax.stop_gradient(param) if name.endswith("bias") else param
                      for name, param in params.items()}  # fmt: skip
        prediction, norms = predict(params, aux, batch, fill=False)
        error = jnp.mean((prediction - batch["values"]) ** 2)
        whole = error + l2 * jnp.mean(norms) if l2 else error
        whole += _bias_penalty(params, aux, batch, starts)
        return whole, (carry, {"mse": error})

    return Task(
        init=_make_init(model, starts, counts_arrivals, biases),
        loss=loss,
        evaluate=_make_evaluate(model, predict, counts_arrivals),
        metrics=_make_metrics(config.growth),
        after_eval=make_after_eval(config, starts, schedule, biases),
    )


def _make_evaluate(model: RatingModel, predict: Callable, counts_arrivals: bool) -> Callable:
    """Makes `params, aux, carry, batch -> carry, sums`."""

    def evaluate(params, aux, carry, batch):
        prediction, _ = predict(params, aux, batch, fill=True)
        mask = batch["mask"].astype(jnp.float32)
        count, nnz = mask.sum(), num_nonzero(params, aux)
        sums = {
            "squared_error": ((prediction - batch["values"]) ** 2) @ mask,
            "count": count,
            "nnz": nnz * count,
            "parameters": (nnz + num_others(params, aux)) * count,
        }
        for side in SIDES:
            sums[f"{side}_anchors"] = aux[side]["active"].sum() * count
            if counts_arrivals:
                none = jnp.zeros(getattr(model, side).num_rows)
                sums[f"{side}_counts"] = none.at[batch[side]].add(mask)
        return carry, sums

    return evaluate


def _counts_arrivals(config: Config) -> bool:
    """Says whether ratings are counted as their windows come."""
    return config.stream.window is not None and not config.stream.looks_ahead


def fits_biases_alone(config: Config) -> bool:
    """Says whether biases are fitted to all windows of a stream so far, apart from the tables."""
    return config.model.biases and _counts_arrivals(config)


def _bias_penalty(params: dict, aux: dict, batch: dict, starts: Mapping[str, Start]) -> jax.Array:
    """Computes a batch's share of `shrinkage * sum_v bias_v^2` over the number of ratings.

    Row v is in `counts[v]` of the ratings, so that each of them has that part of its square.
    """
    total = jnp.float32(0)
    for side in SIDES:
        if bias_name(side) in params and starts[side].shrinkage:
            ids = batch[side]
            counts = jnp.maximum(counts_of(aux, starts, side)[ids], 1)
            total += starts[side].shrinkage * jnp.mean(params[bias_name(side)][ids] ** 2 / counts)
    return total


def _make_init(
    model: RatingModel,
    starts: Mapping[str, Start],
    counts_arrivals: bool,
    biases: Mapping[int, Effects],
) -> Callable:
    """Makes `key -> params, aux`: random values, with those of the starts in their place."""

    def init(key):
        aux = {
            side: {
                "seen": jnp.asarray(starts[side].first_steps, jnp.int32) <= 0,
                "active": jnp.arange(getattr(model, side).num_entries) < starts[side].num_active,
            }
            for side in SIDES
        }
        if counts_arrivals:
            for side in SIDES:
                aux[side]["counts"] = jnp.asarray(starts[side].counts, jnp.float32)
        batch = {side: jnp.zeros(1, jnp.int32) for side in SIDES}
        params = model.init(key, batch, aux, fill=False)["params"]
        for side in SIDES:
            params[side] |= {name: jnp.asarray(v) for name, v in starts[side].params.items()}
            if name := sparse_param(params[side]):
                has_ratings = jnp.asarray(starts[side].first_steps < NEVER)[:, None]
                params[side][name] *= has_ratings  # without ratings there is nothing to learn
        if biases:
            params |= as_params(biases[0])
        return params, {**aux, "growth": no_growth(len(SIDES))._asdict()}

    return init


def _make_metrics(growth: GrowthConfig) -> Callable[[dict], dict[str, float]]:
    """Makes `sums -> figures`, on the host."""

    def metrics(sums):
        means = mean_metrics(sums)
        mse = means.pop("squared_error")
        anchors = means["users_anchors"] + means["items_anchors"]
        value = objective(mse, means["nnz"], anchors, growth.anchor_penalty, growth.nonzero_penalty)
        return {"mse": mse, "rmse": math.sqrt(mse), "objective": value, **means}

    return metrics


def make_optimizer(
    config: Config, schedule: Schedule, steps_per_epoch: int, starts: Mapping[str, Start]
) -> optax.GradientTransformation:
    """Makes proximal Yogi: entries of tables are penalised, those of a transform stay at least 0.

    Args:
        config: rates and penalties.
        schedule: when pruning begins, which ends the penalty, and how long the rate falls.
        steps_per_epoch: steps of an epoch, in which `warmup_epochs` is given.
        starts: which entries are exempt.
    """
    optimizer, penalty = config.optimizer, config.penalty

    def rate(step):
        value = optimizer.learning_rate * optimizer.decay ** (step // optimizer.decay_steps)
        if schedule.cooldown:
            value *= jnp.clip((schedule.end - step) / schedule.cooldown, 0.0, 1.0)
        return value

    def weight(step):
        warmup = step / max(1.0, penalty.warmup_epochs * steps_per_epoch)
        return penalty.transform * jnp.minimum(1.0, warmup)

    def is_penalised(path, _):
        if path[-1].key not in SPARSE_PARAMS:
            return False
        exempt = starts[path[0].key].exempt
        return True if exempt is None else ~exempt

    def is_transform(path, _):
        return path[-1].key == "transform"

    return proximal_yogi(
        rate,
        weight,
        mask=lambda params: jax.tree_util.tree_map_with_path(is_penalised, params),
        non_negative=lambda params: jax.tree_util.tree_map_with_path(is_transform, params),
        fixed_from=schedule.prune if schedule.prune < schedule.end else None,
        lazy=penalty.lazy,
        eps=optimizer.eps,
        initial_nu=optimizer.eps**2,
    )
