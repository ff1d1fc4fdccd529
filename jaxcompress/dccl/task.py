"""What is trained: the loss, the evaluation, the optimiser, and how long.

Shu & Nakayama 2018, arXiv 1711.01068, section 3.

Axis letters: B rows of a batch, N rows, D dimensions, M codebooks, K codewords.

Departures from the paper: the learning rate follows a cosine and gradients are not clipped
(`make_optimizer`), the temperature falls (`temperature_at`), and the number of steps is derived
from the number of rows (`default_num_steps`).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.codes.decode import sum_codewords
from jaxcompress.codes.measure import error_metrics, error_sums
from jaxcompress.dccl.config import ModelConfig, OptimizerConfig, hidden_size
from jaxcompress.dccl.model import CodeLearner, denormalize, exponential_noise, normalize
from jaxcompress.dccl.revive import revive_codewords
from jaxcompress.engine.task import Task

_CHUNK = 8192  # rows that are float64 at a time


class RowStatistics(NamedTuple):
    """Where the training rows lie and how far they spread.

    Attributes:
        mean: float32 [D], the mean row.
        scale: root mean square distance to it, per dimension; 1 if all rows are equal.
    """

    mean: np.ndarray
    scale: float


def row_statistics(table: np.ndarray, ids: np.ndarray, exponent: int = 0) -> RowStatistics:
    """Computes mean and scale of some rows, in float64 by chunks: the table is not copied whole.

    >>> row_statistics(np.array([[1.0, 0.0], [3.0, 0.0], [9.0, 9.0]], np.float32), np.arange(2))
    RowStatistics(mean=array([2., 0.], dtype=float32), scale=0.7071067811865476)

    Args:
        table: float [N, D].
        ids: int [n], the rows that count.
        exponent: the statistics are those of the rows times 2**-exponent.
    """
    return statistics_of(sum_rows(table, ids, exponent), len(ids))


def sum_rows(table: np.ndarray, ids: np.ndarray, exponent: int = 0) -> np.ndarray:
    """Sums some rows, and then their squared norms: float64 [D + 1].

    The arguments are those of `row_statistics`.
    """
    total, squares = np.zeros(table.shape[1]), 0.0
    for start in range(0, len(ids), _CHUNK):
        rows = np.take(table, ids[start : start + _CHUNK], axis=0).astype(np.float64)
        rows = np.ldexp(rows, -exponent)
        total += rows.sum(axis=0)
        squares += float((rows * rows).sum())
    return np.append(total, squares)


def statistics_of(sums: np.ndarray, count: int) -> RowStatistics:
    """Makes the statistics of so many rows by their `sum_rows`."""
    mean, squares = sums[:-1] / count, float(sums[-1])
    variance = max(squares / count - float(mean @ mean), 0.0) / len(mean)
    return RowStatistics(mean.astype(np.float32), float(np.sqrt(variance)) or 1.0)


def default_num_steps(
    num_rows: int, batch_size: int, multiple: int = 1, effort: float = 1.0
) -> int:
    """Derives the number of optimiser steps of a run from the number of its training rows.

    2,500,000 rows are seen in all; if there are more than 50,000 different ones, this grows with
    the square root of their number. No row is seen more than 80 times, but 400 steps are the least.

    >>> default_num_steps(50_000, 512, 20), default_num_steps(400_000, 512, 20)
    (4900, 13820)

    Args:
        num_rows: number of rows that are trained on.
        batch_size: B.
        multiple: what the result is a multiple of: the steps of a dispatch, since a shorter one
            would be compiled for itself.
        effort: as many times these steps are taken, but 400 steps are the least.
    """
    rows_seen = min(2_500_000 * max(1.0, num_rows / 50_000) ** 0.5, 80 * num_rows)
    return -(-max(400, round(effort * rows_seen / batch_size)) // multiple) * multiple


def make_optimizer(config: OptimizerConfig, num_steps: int) -> optax.GradientTransformation:
    """Makes Adam, with the schedule and the clipping of the config.

    The paper has a constant rate of 1e-4 and clips the gradient norm at 0.001.
    """
    return _make_optimizer(tuple(dataclasses.asdict(config).items()), num_steps)


@functools.lru_cache(maxsize=8)
def _make_optimizer(settings: tuple, num_steps: int) -> optax.GradientTransformation:
    config = OptimizerConfig(**dict(settings))
    rate: Any = config.learning_rate
    if config.schedule == "cosine":
        warmup = max(1, round(config.warmup_fraction * num_steps))
        rate = optax.warmup_cosine_decay_schedule(0.0, rate, warmup, max(num_steps, warmup + 1))
    adam = optax.adam(rate)
    if config.clip_norm is None:
        return adam
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), adam)


def temperature_at(
    step: int | jax.Array, num_steps: int, first: float, last: float | None
) -> float | jax.Array:
    """Computes tau of a step, which goes geometrically from `first` to `last`.

    The paper has tau = 1 throughout.

    >>> [float(temperature_at(step, 10, 2.0, 0.5)) for step in (0, 5, 10)]
    [2.0, 1.0, 0.5]

    Args:
        step: of the optimiser, from 0.
        num_steps: the step at which `last` is reached.
        first: tau of step 0.
        last: tau of the last step; None: `first`.

    Returns:
        tau; a Python float if it is constant, as `gumbel_softmax` likes it best.
    """
    if last in (None, first):
        return first
    return first * (last / first) ** jnp.minimum(step / num_steps, 1.0)


def make_task(
    config: ModelConfig, statistics: RowStatistics, num_steps: int, exponent: int = 0
) -> Task:
    """Makes the functions that the loop runs.

    - params: `encoder`, and `codebooks` float32 [M, K, D] of normalised rows.
    - aux: `mean` float32 [D] and `scale` float32 [], of `normalize`; `center` float32 [D], the mean
      of the training rows.
    - Batches: `rows` float32 [B, D], those of the table times 2**-exponent; `mask` bool [B], false
      for padding, read at evaluation only; `weights` float32 [B] if rows are weighed.
    - Sums, all float32: those of `codes.measure.error_sums`, for hard codes without noise;
      `soft_l2` [] and `max_probability` [], of noisy draws; `usage` [M, K], rows that use each
      codeword.
    - Metrics of a step: `max_probability`, the mean over draws of the largest of K.

    The loss is in the units of normalised rows.

    Args:
        config: the autoencoder.
        statistics: of the training rows.
        num_steps: optimiser steps of the whole run.
        exponent: of the units of batches, statistics and sums; figures are in those of the table.
    """
    model = _make_model(config, 1.0 if config.normalize else statistics.scale)

    def init(key):
        aux = _make_aux(statistics, config.normalize)
        noise = jnp.ones((1, config.num_codebooks, config.num_codewords))
        return model.init(key, aux["center"][None], noise, 1.0)["params"], aux

    functions = _make_functions(tuple(dataclasses.asdict(config).items()), num_steps)
    metrics = functools.partial(error_metrics, exponent=exponent)
    return Task(init=init, metrics=metrics, **functions)


def _make_model(config: ModelConfig, row_scale: float = 1.0) -> CodeLearner:
    shape = (config.num_codebooks, config.num_codewords)
    return CodeLearner(*shape, hidden_size(config), row_scale=row_scale)


@functools.lru_cache(maxsize=8)
def _make_functions(settings: tuple, num_steps: int) -> dict[str, Callable]:
    """Makes what depends on the config alone: tables of one shape share compiled programs.

    Args:
        settings: names and values of a `ModelConfig`, which is no key of a cache itself.
        num_steps: optimiser steps of the whole run.
    """
    config = ModelConfig(**dict(settings))
    model, shape = _make_model(config), (config.num_codebooks, config.num_codewords)

    def reconstruct(params, rows, key, step):
        noise = exponential_noise(key, (len(rows), *shape))
        tau = temperature_at(step, num_steps, config.temperature, config.final_temperature)
        return model.apply({"params": params}, rows, noise, tau)

    def loss(params, aux, carry, batch, step, key):
        rows = normalize(batch["rows"], aux)
        output, draws, _ = reconstruct(params, rows, key, step)
        metrics = {"max_probability": draws.max(axis=-1).mean()}
        return _half_squared_error(output, rows, batch.get("weights")), (carry, metrics)

    def evaluate(params, aux, carry, batch):
        # Soft figures are those of a noisy draw, as other implementations report them; the key is
        # fixed, so that they are always the same.
        rows, key = normalize(batch["rows"], aux), jax.random.key(0)
        soft, draws, alpha = reconstruct(params, rows, key, num_steps)
        codes = jnp.argmax(alpha, axis=-1)  # section 3.3
        hard = denormalize(sum_codewords(params["codebooks"], codes), aux)
        mask = batch["mask"].astype(jnp.float32)
        return carry, {
            **error_sums(batch["rows"], hard, mask, aux["center"], batch.get("weights")),
            **_soft_sums(batch["rows"], denormalize(soft, aux), draws, mask),
            "usage": _usage(codes, mask, config.num_codewords),
        }

    def after_eval(step, key, params, aux, sums):
        return revive_codewords(key, params, sums["sample"]["usage"]), aux

    functions = {"loss": loss, "evaluate": evaluate}
    return {**functions, "after_eval": after_eval} if config.revive else functions


def _make_aux(statistics: RowStatistics, is_normalized: bool) -> dict[str, jax.Array]:
    """Makes what `normalize` divides and subtracts: statistics of the rows, or 1 and 0."""
    center = jnp.asarray(statistics.mean)
    if is_normalized:
        return {"mean": center, "scale": jnp.float32(statistics.scale), "center": center}
    return {"mean": jnp.zeros_like(center), "scale": jnp.float32(1.0), "center": center}


def _half_squared_error(output: jax.Array, rows: jax.Array, weights: jax.Array | None) -> jax.Array:
    """Computes the mean over rows of half the squared error (eq. 5), times each row's weight.

    output and rows [B, D], weights [B] or None -> [].
    """
    error = jnp.sum(jnp.square(output - rows), axis=-1)
    if weights is not None:
        error = weights * error
    return 0.5 * error.mean()


def _soft_sums(
    rows: jax.Array, soft: jax.Array, draws: jax.Array, mask: jax.Array
) -> dict[str, jax.Array]:
    """Sums the L2 distances of soft reconstructions, and the largest share of each draw.

    rows and soft [B, D], draws [B, M, K], mask float [B] -> two scalars.
    """
    squared = jnp.square(soft - rows).sum(axis=-1)
    return {
        "soft_l2": jnp.sqrt(squared) @ mask,
        "max_probability": draws.max(axis=-1).mean(axis=-1) @ mask,
    }


def _usage(codes: jax.Array, mask: jax.Array, num_codewords: int) -> jax.Array:
    """Counts the rows that use each codeword. codes int [B, M], mask float [B] -> [M, K]."""
    one_hot = jax.nn.one_hot(codes, num_codewords) * mask[:, None, None]
    return one_hot.sum(axis=0)
