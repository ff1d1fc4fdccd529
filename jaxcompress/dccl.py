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

import dataclasses
import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.config import RunConfig, check_bounds
from jaxcompress.errors import InputError
from jaxcompress.lookup import sum_codewords
from jaxcompress.sizes import MAX_CODEBOOKS, MAX_CODEWORDS, MAX_PRODUCT, SweepConfig
from jaxcompress.task import Task, mean_metrics

_TINY = 1e-30  # keeps log alpha finite where softplus underflows


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    path: str = "stdlib"  # a file, or "stdlib": vectors made of the standard library's English
    tensor: str | None = None  # the name of a tensor in a .safetensors file
    max_rows: int | None = None  # read only so many rows
    weights: str | None = None  # how much each row counts: "zipf" (1/rank), or a file; None: alike
    valid_rows: int | None = None  # held-out rows; None: min(5 %, 1,000)
    stream: bool | None = None  # send rows from the host; None: on CPU, and where the table would
    # take over half of a device's memory


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    num_codebooks: int = 32  # M
    num_codewords: int = 16  # K
    hidden_size: int | None = None  # H; None: M*K, at most 1,024; the paper has M*K/2
    temperature: float = 1.0  # tau of the Gumbel-softmax
    final_temperature: float | None = 0.4  # at the last step, reached geometrically; None: same
    normalize: bool = True  # centre and scale the rows; folded into the exported codebooks
    revive: bool = True  # let unused codewords start anew at each evaluation


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    learning_rate: float = 6e-3  # peak of Adam's step
    schedule: str = "cosine"  # "cosine" to zero, after a warm-up, or "constant"
    warmup_fraction: float = 0.02  # of the steps
    clip_norm: float | None = None  # global gradient norm; None: not clipped


@dataclasses.dataclass(kw_only=True)
class RefineConfig:
    num_rounds: int = 40  # of local search and least-squares codebooks; 0: none
    num_steps: int | None = None  # of search in a round; None: 3 M


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.dccl` runs."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    refine: RefineConfig = dataclasses.field(default_factory=RefineConfig)
    # 10^6 bytes of codes and codebooks: the best size within takes the place of the model's
    target_mb: float | None = None
    sweep: SweepConfig = dataclasses.field(default_factory=SweepConfig)
    sample_words: tuple[str, ...] = ("dog", "dogs", "man", "woman", "king", "queen")
    export_words: bool = True  # whether the lines of model.codes start with the word

    def check(self) -> None:
        super().check()
        model, optimizer = self.model, self.optimizer
        if not 1 <= model.num_codebooks <= MAX_CODEBOOKS:
            raise InputError(
                f"model.num_codebooks is {model.num_codebooks}; it must be from 1 to 1,024."
            )
        if not 2 <= model.num_codewords <= MAX_CODEWORDS:
            raise InputError(
                f"model.num_codewords is {model.num_codewords}; it must be from 2 to 65,536."
            )
        if model.num_codebooks * model.num_codewords > MAX_PRODUCT:
            raise InputError(
                f"{model.num_codebooks} x {model.num_codewords} codewords are more "
                "than 2^20; take fewer codebooks or fewer codewords."
            )
        if self.target_mb is not None and not 0 < self.target_mb < math.inf:
            raise InputError(f"target_mb is {self.target_mb}; it must be a number above 0.")
        check_bounds(
            self,
            at_least_1=("sweep.num_rows", "sweep.num_steps", "sweep.max_product"),
            at_least_0=("sweep.num_rounds",),
        )
        self.sweep.check()
        for name in ("temperature", "final_temperature"):
            value = getattr(model, name)
            if value is not None and not value > 0:
                raise InputError(f"model.{name} is {value}; it must be above 0.")
        if model.hidden_size is not None and model.hidden_size < 1:
            raise InputError(f"model.hidden_size is {model.hidden_size}; it must be at least 1.")
        check_bounds(self, at_least_0=("refine.num_rounds",), at_least_1=("refine.num_steps",))
        if optimizer.schedule not in ("cosine", "constant"):
            raise InputError(
                f'optimizer.schedule is {optimizer.schedule!r}; it must be "cosine" or "constant".'
            )
        if not optimizer.learning_rate > 0:
            raise InputError(
                f"optimizer.learning_rate is {optimizer.learning_rate}; it must be above 0."
            )


def gumbel_softmax(alpha: jax.Array, noise: jax.Array, temperature: float | jax.Array) -> jax.Array:
    """Draws relaxed one-hot vectors (eq. 9): softmax((log alpha + G) / temperature).

    Gumbel noise is G = -log E with E exponentially distributed, so at temperature 1 this is
    alpha / E, normalised: the same draw without a logarithm and an exponential.

    Args:
        alpha: [..., K], positive.
        noise: [..., K]: E, positive.
        temperature: tau; a Python float where it is constant.

    Returns:
        [..., K], rows of non-negative numbers that sum to one.
    """
    ratio = alpha / noise
    if isinstance(temperature, float) and temperature == 1.0:
        return ratio / ratio.sum(-1, keepdims=True)
    return jax.nn.softmax(jnp.log(ratio) / temperature, axis=-1)


def exponential_noise(key: jax.Array, shape: tuple[int, int, int]) -> jax.Array:
    """Draws E [B, M, K] for `gumbel_softmax`, -log of the midpoints of 2^16 intervals.

    Random bits are a third of a step's time on CPU, so each 32 of them make two draws. G then
    lies in [-2.5, 11.8]: what is cut off has a probability of 2^-16.
    """
    num_rows, width = shape[0], shape[1] * shape[2]
    bits = jax.random.bits(key, (num_rows, -(-width // 2)))
    halves = jnp.concatenate([bits & 0xFFFF, bits >> 16], axis=1)[:, :width]
    return -jnp.log((halves.astype(jnp.float32) + 0.5) * 2.0**-16).reshape(shape)


class Encoder(nn.Module):
    """Scores the codewords of each codebook (eqs. 6 and 7). rows [B, D] -> alpha [B, M, K] > 0."""

    num_codebooks: int
    num_codewords: int
    hidden_size: int

    @nn.compact
    def __call__(self, rows: jax.Array) -> jax.Array:
        hidden = jnp.tanh(nn.Dense(self.hidden_size, name="hidden")(rows))
        scores = nn.Dense(self.num_codebooks * self.num_codewords, name="scores")(hidden)
        alpha = jax.nn.softplus(scores) + _TINY
        return alpha.reshape(*rows.shape[:-1], self.num_codebooks, self.num_codewords)


class CodeLearner(nn.Module):
    """The autoencoder: an encoder, and codebooks [M, K, D] drawn at the scale of the data.

    Codebooks start as normal numbers of variance 1/M (times that of the rows), so that a sum of M
    codewords has the variance of a row. Rows are expected at variance `row_scale**2`.
    """

    num_codebooks: int
    num_codewords: int
    hidden_size: int
    row_scale: float = 1.0

    @nn.compact
    def __call__(
        self, rows: jax.Array, noise: jax.Array, temperature: float | jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """rows [B, D], noise E [B, M, K] -> reconstruction [B, D] (eq. 10), d and alpha [B, M, K].

        With all noise 1 and temperature 1, d is alpha, normalised.
        """
        shape = (self.num_codebooks, self.num_codewords, rows.shape[-1])
        scale = self.row_scale / self.num_codebooks**0.5
        codebooks = self.param("codebooks", nn.initializers.normal(scale), shape)
        alpha = Encoder(*shape[:2], self.hidden_size, name="encoder")(rows)
        draws = gumbel_softmax(alpha, noise, temperature)
        return _decode_soft(codebooks, draws), draws, alpha


def _decode_soft(codebooks: jax.Array, draws: jax.Array) -> jax.Array:
    """Sums the codewords, weighed by `draws` (eq. 10): one matrix product."""
    flat = draws.reshape(draws.shape[0], -1)
    return flat @ codebooks.reshape(flat.shape[1], -1)


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


def hidden_size(config: ModelConfig) -> int:
    """H: as configured, or else M*K, at most 1,024."""
    return config.hidden_size or min(config.num_codebooks * config.num_codewords, 1024)


def encode(state: Any, batch: dict) -> jax.Array:
    """Gives the codes of a batch, without noise: argmax of alpha (section 3.3). int [B, M]."""
    rows = (batch["rows"] - state.aux["mean"]) / state.aux["scale"]
    codebooks = state.params["codebooks"]
    hidden = state.params["encoder"]["hidden"]["bias"].shape[0]
    encoder = Encoder(*codebooks.shape[:2], hidden)
    alpha = encoder.apply({"params": state.params["encoder"]}, rows)
    kind = jnp.uint8 if codebooks.shape[1] <= 256 else jnp.uint16
    return jnp.argmax(alpha, axis=-1).astype(kind)


def error_sums(
    rows: jax.Array,
    decoded: jax.Array,
    mask: jax.Array,
    center: jax.Array,
    weights: jax.Array | None = None,
) -> dict[str, jax.Array]:
    """Sums the errors of hard codes over the rows that `mask` marks.

    Args:
        rows: [B, D].
        decoded: [B, D], what the codes give.
        mask: float [B].
        center: [D], a row near the mean, so that the spread of the rows loses no digits.
        weights: [B]: how much each row counts in the weighted sums, which are there then.
    """
    squared = jnp.sum(jnp.square(decoded - rows), axis=-1)
    centered = (rows - center) * mask[:, None]
    sums = {
        "count": mask.sum(),
        "l2": jnp.sqrt(squared) @ mask,
        "squared_l2": squared @ mask,
        "offset": centered.sum(axis=0),
        "squared_distance": jnp.sum(jnp.square(centered)),
    }
    if weights is not None:
        weights = weights * mask
        sums["weight"] = weights.sum()
        sums["weighted_l2"] = jnp.sqrt(squared) @ weights
        sums["weighted_squared_l2"] = squared @ weights
    return sums


def error_metrics(sums: dict[str, np.ndarray]) -> dict[str, float]:
    """Divides sums once: those of `error_sums`, and of `evaluate` where they are there.

    `relative_error` is the sum of squared errors over the sum of squared distances to the mean of
    these rows. Weighted means are over the sum of the weights. `codebook_perplexity` is the mean
    over codebooks of exp(entropy of the codewords' use), K at best. `dead_codewords` are those that
    none of these rows uses.
    """
    means = mean_metrics(sums)
    count = float(sums["count"])
    spread = float(sums["squared_distance"]) - float(sums["offset"] @ sums["offset"]) / count
    figures = {
        "mean_l2": means["l2"],
        "mean_squared_l2": means["squared_l2"],
        "relative_error": float(sums["squared_l2"]) / spread if spread > 0 else 0.0,
    }
    if "weight" in sums:
        weight = float(sums["weight"])
        figures["weighted_mean_l2"] = float(sums["weighted_l2"]) / weight
        figures["weighted_mean_squared_l2"] = float(sums["weighted_squared_l2"]) / weight
    if "soft_l2" in sums:
        figures["soft_mean_l2"] = means["soft_l2"]
        figures["max_probability"] = means["max_probability"]
    if "usage" in sums:
        used = np.asarray(sums["usage"]) / count
        entropy = -np.sum(used * np.log(np.where(used > 0, used, 1.0)), axis=-1)
        figures["codebook_perplexity"] = float(np.exp(entropy).mean())
        figures["dead_codewords"] = float((used == 0).sum())
    return figures


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


def export_codebooks(params: dict, aux: dict) -> np.ndarray:
    """Folds the normalisation into the codebooks: float32 [M, K, D] whose sums are rows."""
    codebooks = np.asarray(params["codebooks"], np.float64)
    folded = codebooks * float(aux["scale"]) + np.asarray(aux["mean"], np.float64) / len(codebooks)
    return folded.astype(np.float32)


def export_encoder(params: dict, aux: dict) -> dict[str, np.ndarray]:
    """The encoder's weights by name, with the normalisation of the rows that enter it."""
    weights = {
        f"{layer}.{name}": np.asarray(value)
        for layer, values in params["encoder"].items()
        for name, value in values.items()
    }
    return {**weights, "mean": np.asarray(aux["mean"]), "scale": np.asarray(aux["scale"])}
