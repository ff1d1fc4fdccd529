"""Deep compositional code learning (DCCL).

Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning", ICLR 2018,
arXiv 1711.01068. A row of a trained table becomes M codes in [0, K) and is read back as the sum of
M codewords, one of each of M codebooks. An encoder and the codebooks are trained together as an
autoencoder whose middle is M draws from Gumbel-softmax distributions.

Axis letters: B batch, N rows, D dimensions, M codebooks, K codewords, H hidden units.

Departures from the paper, each off in `configs/glove_paper.py`:
- `model.normalize`: rows enter and leave the autoencoder centred and scaled to unit variance, so
  that one learning rate serves any table. `export_codebooks` folds both into the codebooks.
- `model.revive`: codewords that no row uses start anew beside the ones used most.
- The learning rate falls along a cosine, the temperature falls, gradients are not clipped.
- The encoder is twice as wide: it is not part of what is stored.
- Codes and codebooks are refined after training (`refinement.py`).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.codes.decode import sum_codewords
from jaxcompress.codes.measure import error_metrics, error_sums
from jaxcompress.dccl.config import ModelConfig, OptimizerConfig, hidden_size
from jaxcompress.dccl.model import CodeLearner, exponential_noise
from jaxcompress.engine.task import Task


class RowStatistics(NamedTuple):
    """Mean row [D] and root-mean-square distance to it, per dimension; both of training rows."""

    mean: np.ndarray
    scale: float


def row_statistics(table: np.ndarray, ids: np.ndarray) -> RowStatistics:
    """Computes them in float64 over chunks, so that the table is never copied whole."""
    total, squares = np.zeros(table.shape[1]), 0.0
    for start in range(0, len(ids), 8192):
        rows = np.take(table, ids[start : start + 8192], axis=0).astype(np.float64)
        total += rows.sum(axis=0)
        squares += float((rows * rows).sum())
    mean = total / len(ids)
    variance = max(squares / len(ids) - float(mean @ mean), 0.0) / table.shape[1]
    return RowStatistics(mean.astype(np.float32), float(np.sqrt(variance)) or 1.0)


def default_num_steps(num_rows: int, batch_size: int, multiple: int = 1) -> int:
    """Derives the number of steps from the number of training rows; see README, "Schedule".

    It is a multiple of `multiple`: a dispatch of a length of its own would be compiled for itself.
    """
    rows_seen = min(2_500_000 * max(1.0, num_rows / 50_000) ** 0.5, 80 * num_rows)
    return -(-max(400, round(rows_seen / batch_size)) // multiple) * multiple


def make_optimizer(config: OptimizerConfig, num_steps: int) -> optax.GradientTransformation:
    """Adam, with the schedule and the clipping of the config."""
    rate: Any = config.learning_rate
    if config.schedule == "cosine":
        warmup = max(1, round(config.warmup_fraction * num_steps))
        rate = optax.warmup_cosine_decay_schedule(0.0, rate, warmup, max(num_steps, warmup + 1))
    adam = optax.adam(rate)
    if config.clip_norm is None:
        return adam
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), adam)


def make_task(config: ModelConfig, statistics: RowStatistics, num_steps: int) -> Task:
    """Builds the functions of the method.

    `params` are `{"encoder": ..., "codebooks": [M, K, D]}` over normalised rows. `aux` are `mean`
    [D] and `scale` [], which normalise, and `center` [D], the mean row of the training rows.
    Batches are `{"rows": float32 [B, D], "mask": bool [B]}`, with `weights` float32 [B] where rows
    are weighed. The loss is in units of normalised rows, evaluations in those of the table.
    """
    shape = (config.num_codebooks, config.num_codewords)
    model = CodeLearner(
        *shape,
        hidden_size(config),
        row_scale=1.0 if config.normalize else statistics.scale,
    )

    def init(key):
        center = jnp.asarray(statistics.mean)
        params = model.init(key, center[None], jnp.ones((1, *shape)), 1.0)["params"]
        if config.normalize:
            return params, {
                "mean": center,
                "scale": jnp.float32(statistics.scale),
                "center": center,
            }
        return params, {"mean": jnp.zeros_like(center), "scale": jnp.float32(1.0), "center": center}

    def temperature(step):
        if config.final_temperature in (None, config.temperature):
            return config.temperature
        fraction = jnp.minimum(step / num_steps, 1.0)
        return config.temperature * (config.final_temperature / config.temperature) ** fraction

    def loss(params, aux, carry, batch, step, key):
        rows = (batch["rows"] - aux["mean"]) / aux["scale"]
        noise = exponential_noise(key, (len(rows), *shape))
        output, draws, _ = model.apply({"params": params}, rows, noise, temperature(step))
        error = jnp.sum(jnp.square(output - rows), axis=-1)
        if "weights" in batch:
            error = batch["weights"] * error
        return 0.5 * error.mean(), (carry, {"max_probability": draws.max(axis=-1).mean()})  # eq. 5

    def evaluate(params, aux, carry, batch):
        rows = (batch["rows"] - aux["mean"]) / aux["scale"]
        # The soft figures, as the references report them, are of a noisy draw: always the same.
        noise = exponential_noise(jax.random.key(0), (len(rows), *shape))
        soft, draws, alpha = model.apply({"params": params}, rows, noise, temperature(num_steps))
        codes = jnp.argmax(alpha, axis=-1)
        hard = sum_codewords(params["codebooks"], codes) * aux["scale"] + aux["mean"]
        soft_error = jnp.square(soft * aux["scale"] + aux["mean"] - batch["rows"]).sum(axis=-1)
        mask = batch["mask"].astype(jnp.float32)
        one_hot = jax.nn.one_hot(codes, shape[1]) * mask[:, None, None]
        return carry, {
            **error_sums(batch["rows"], hard, mask, aux["center"], batch.get("weights")),
            "soft_l2": jnp.sqrt(soft_error) @ mask,
            "max_probability": draws.max(axis=-1).mean(axis=-1) @ mask,
            "usage": one_hot.sum(axis=0),
        }

    def after_eval(step, key, params, aux, sums):
        return revive_codewords(key, params, sums["sample"]["usage"]), aux

    task = Task(init=init, loss=loss, evaluate=evaluate, metrics=error_metrics)
    return task._replace(after_eval=after_eval) if config.revive else task


def revive_codewords(key: jax.Array, params: dict, usage: jax.Array) -> dict:
    """Lets each dead codeword start anew beside a codeword that is used much.

    In each codebook the n-th dead codeword takes the codeword and the encoder's scores of the
    n-th most used one, with noise of 1 % of their scale, so that the two share its rows and part.

    Args:
        params: `codebooks` [M, K, D] and the encoder's `scores` kernel [H, M*K], bias [M*K].
        usage: [M, K]: how many rows of a sample of training rows use each codeword.
    """
    codebooks, scores = params["codebooks"], params["encoder"]["scores"]
    num_codebooks, num_codewords, _ = codebooks.shape
    dead = usage == 0
    rank_of_dead = jnp.cumsum(dead, axis=1) - 1
    by_use = jnp.argsort(-usage, axis=1)
    donor = jnp.take_along_axis(by_use, rank_of_dead.clip(min=0), axis=1)
    donor_lives = jnp.take_along_axis(usage, donor, axis=1) > 1
    source = jnp.where(dead & donor_lives, donor, jnp.arange(num_codewords))
    moved = source != jnp.arange(num_codewords)

    flat = (source + num_codewords * jnp.arange(num_codebooks)[:, None]).reshape(-1)
    keys = jax.random.split(key)
    noise = 0.01 * moved[..., None] * jax.random.normal(keys[0], codebooks.shape)
    taken = jnp.take_along_axis(codebooks, source[..., None], axis=1)
    kernel, bias = scores["kernel"][:, flat], scores["bias"][flat]
    kernel_noise = 0.01 * moved.reshape(-1) * jax.random.normal(keys[1], kernel.shape)
    return {
        **params,
        "codebooks": taken + noise * codebooks.std(),
        "encoder": {
            **params["encoder"],
            "scores": {"kernel": kernel + kernel_noise * kernel.std(), "bias": bias},
        },
    }
