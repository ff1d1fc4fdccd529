"""Language models whose embedding is also their classifier, and the augmented loss.

Inan, Khosravi & Socher, "Tying Word Vectors and Word Classifiers: A Loss Framework for Language
Modeling", ICLR 2017, arXiv 1611.01462. An LSTM reads words and predicts the next one. AL adds to
the cross-entropy the divergence from a teacher that gives words near the target their share; RE
lets one table be embedding and classifier, which the theory of AL calls for; REAL is both.

Axis letters: B batch (lanes of text), T time, V vocabulary, D units (of embedding and of LSTM).

Departures from the paper:
- Where the paper is silent, whether gradients flow through the teacher, they do not
  (`model.teacher_gradient`): it costs half as much.
- A sequence is one stretch of `unroll` tokens: dropout masks are drawn anew for each.
"""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.config import RunConfig, check_bounds
from jaxcompress.errors import InputError
from jaxcompress.lstm import LSTMState, LSTMWeights, lstm
from jaxcompress.softmax_loss import Augmentation, softmax_loss
from jaxcompress.task import Task


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    path: str = "stdlib"  # a folder with train, valid and test files, or "stdlib"
    vocabulary: str | None = None  # a file, a word a line; None: the training split's words
    max_vocab: int | None = None  # words kept, by frequency
    vectors: str | None = None  # the embedding's first values: what train.dccl reads, or codes
    tensor: str | None = None  # which matrix of vectors in a .safetensors file


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    hidden_size: int = 200  # D
    num_layers: int = 2
    dropout: float = 0.3  # part of the units that are dropped, by one mask for a sequence
    init_scale: float = 0.1  # weights start uniform in [-init_scale, init_scale]
    reuse_embedding: bool = False  # RE: the embedding is the classifier, without bias
    augmented_loss: bool = False  # AL
    gamma: float = 0.65  # of alpha = gamma * temperature, the weight of the KL divergence
    temperature: float = 20.0  # tau of the teacher and of the softmax that learns from it
    initial_temperature: float | None = None  # raised to `temperature`, geometrically; None: same
    temperature_epochs: float = 1.0  # in so many epochs
    teacher_gradient: bool = False  # whether gradients flow through the teacher
    frozen_epochs: int = 0  # the embedding stays as it is so long, a fixed target


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    learning_rate: float = 1.0  # of SGD
    full_epochs: int = 5  # epochs at that rate
    decay: float = 0.9  # what the rate is multiplied by in every epoch after that
    clip_norm: float | None = 5.0  # global gradient norm; None: not clipped


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.tying` runs."""

    batch_size: int = 20  # lanes of text, over all devices
    unroll: int = 35  # tokens of a lane in one step
    num_epochs: float = 40.0  # where num_steps is None
    eval_lanes: int = 10  # of the evaluations while training; the last figures are of one lane
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)

    def check(self) -> None:
        super().check()
        check_bounds(
            self,
            at_least_1=("unroll", "eval_lanes", "model.hidden_size", "model.num_layers"),
            at_least_0=("model.gamma", "model.frozen_epochs", "model.init_scale",
                        "optimizer.full_epochs"),
            above_0=("num_epochs", "model.temperature", "model.initial_temperature",
                     "model.temperature_epochs", "optimizer.learning_rate", "optimizer.decay",
                     "optimizer.clip_norm"),
            fractions=("model.dropout",),
        )  # fmt: skip


VARIANTS = {"baseline": (False, False), "al": (False, True), "re": (True, False),
            "real": (True, True)}  # fmt: skip


def with_variant(model: ModelConfig, variant: str) -> ModelConfig:
    """The model as one of the paper's variants: "baseline", "al", "re" or "real"."""
    if variant not in VARIANTS:
        raise InputError(f"no variant {variant!r}; there are {', '.join(VARIANTS)}.")
    reuse_embedding, augmented_loss = VARIANTS[variant]
    return dataclasses.replace(
        model, reuse_embedding=reuse_embedding, augmented_loss=augmented_loss
    )


def published_config(
    spec: str, sizes: dict[str, tuple[ModelConfig, OptimizerConfig, float]], path: str
) -> Config:
    """The config of a row of the paper's tables.

    Args:
        spec: "SIZE-VARIANT", as "small-real".
        sizes: model, optimizer and number of epochs by size.
        path: the text's folder.
    """
    size, _, variant = spec.partition("-")
    if size not in sizes or variant not in VARIANTS:
        raise InputError(
            f"{spec!r} is not SIZE-VARIANT; sizes are {', '.join(sizes)}, variants "
            f"{', '.join(VARIANTS)}."
        )
    model, optimizer, num_epochs = sizes[size]
    return Config(
        num_epochs=num_epochs,
        data=DataConfig(path=path),
        model=with_variant(model, variant),
        optimizer=optimizer,
    )


class Predicted(NamedTuple):
    """What the model makes of a sequence: logits are `hidden @ classifier.T + bias`.

    Attributes:
        hidden: [B, T, D].
        classifier: [V, D].
        bias: [V], or None where the embedding is reused.
        carry: the state of every layer after the sequence.
    """

    hidden: jax.Array
    classifier: jax.Array
    bias: jax.Array | None
    carry: tuple[LSTMState, ...]


class LanguageModel(nn.Module):
    """An embedding, LSTM layers, a classifier (section 2)."""

    num_words: int
    hidden_size: int
    num_layers: int
    init_scale: float
    reuse_embedding: bool

    @nn.compact
    def __call__(
        self, inputs: jax.Array, carry: tuple[LSTMState, ...], masks: jax.Array
    ) -> Predicted:
        """inputs int [B, T], masks [num_layers, B, D] or [num_layers, B, 1] -> `Predicted`."""

        def init(key, shape):
            return jax.random.uniform(key, shape, minval=-self.init_scale, maxval=self.init_scale)

        size, zeros = self.hidden_size, nn.initializers.zeros
        embedding = self.param("embedding", init, (self.num_words, size))
        outputs, after = embedding[inputs.T], []
        for i, (state, mask) in enumerate(zip(carry, masks, strict=True)):
            weights = LSTMWeights(
                self.param(f"lstm_{i}_inputs", init, (size, 4 * size)),
                self.param(f"lstm_{i}_outputs", init, (size, 4 * size)),
                self.param(f"lstm_{i}_bias", zeros, (4 * size,)),
            )
            outputs, state = lstm(weights, outputs, state, mask)
            after.append(state)
        hidden = jnp.swapaxes(outputs, 0, 1)
        if self.reuse_embedding:
            return Predicted(hidden, embedding, None, tuple(after))
        classifier = self.param("classifier", init, (self.num_words, size))
        bias = self.param("bias", zeros, (self.num_words,))
        return Predicted(hidden, classifier, bias, tuple(after))


def make_model(config: ModelConfig, num_words: int) -> LanguageModel:
    """The module of a config."""
    return LanguageModel(
        num_words, config.hidden_size, config.num_layers, config.init_scale, config.reuse_embedding
    )


def zero_carry(config: ModelConfig, batch_size: int) -> tuple[LSTMState, ...]:
    """The state of all layers at the start of a text."""
    zeros = jnp.zeros((batch_size, config.hidden_size))
    return tuple(LSTMState(zeros, zeros) for _ in range(config.num_layers))


def no_masks(config: ModelConfig, batch_size: int) -> jax.Array:
    """Masks that drop nothing."""
    return jnp.ones((config.num_layers, batch_size, 1))


def dropout_masks(key: jax.Array, config: ModelConfig, batch_size: int) -> jax.Array:
    """One mask a layer for a whole sequence [num_layers, B, D], of mean 1 (Gal & Ghahramani).

    A layer's mask is shared between its next step and the next layer's input; the input embedding
    has none (section 5).
    """
    keep = 1 - config.dropout
    shape = (config.num_layers, batch_size, config.hidden_size)
    return jax.random.bernoulli(key, keep, shape) / keep


def make_optimizer(config: OptimizerConfig, steps_per_epoch: int) -> optax.GradientTransformation:
    """SGD at a rate that falls by epochs, of gradients of bounded norm."""

    def rate(step):
        epoch = step // steps_per_epoch
        return config.learning_rate * config.decay ** jnp.maximum(epoch - config.full_epochs + 1, 0)

    sgd = optax.sgd(rate)
    if config.clip_norm is None:
        return sgd
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), sgd)


def make_task(
    config: ModelConfig,
    num_words: int,
    steps_per_epoch: int,
    embedding: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> Task:
    """Builds the functions of the method.

    The loss of a batch is the mean over lanes of the sum over time, as the learning rate and the
    norm of the published settings suppose; figures are of a token. Batches are those of
    `data.lanes.gather_tokens`.

    Args:
        config: the model's.
        num_words: V.
        steps_per_epoch: what schedules that count epochs need.
        embedding: [V, D]: first values of the rows that `known` marks.
        known: bool [V].
    """
    model = make_model(config, num_words)

    def init(key):
        empty = jnp.zeros((1, 1), jnp.int32)
        carry, masks = zero_carry(config, 1), no_masks(config, 1)
        params = model.init(key, empty, carry, masks)["params"]
        if embedding is not None:
            params["embedding"] = jnp.where(known[:, None], embedding, params["embedding"])
        return params, {}

    def forward(params, carry, batch, masks):
        keep = ~batch["first"][:, None]
        carry = jax.tree.map(lambda x: x * keep, carry)
        return model.apply({"params": params}, batch["inputs"], carry, masks)

    def temperature(step):
        first = config.initial_temperature
        if first in (None, config.temperature):
            return jnp.float32(config.temperature)
        done = jnp.minimum(step / (config.temperature_epochs * steps_per_epoch), 1.0)
        return jnp.float32(first * (config.temperature / first) ** done)

    def loss(params, aux, carry, batch, step, key):
        batch_size, time = batch["targets"].shape
        if config.frozen_epochs:
            moves = step >= config.frozen_epochs * steps_per_epoch
            fixed = jax.lax.stop_gradient(params["embedding"])
            params = {**params, "embedding": fixed + moves * (params["embedding"] - fixed)}
        masks = dropout_masks(key, config, batch_size) if config.dropout else (
            no_masks(config, batch_size)
        )  # fmt: skip
        out = forward(params, carry, batch, masks)
        augmentation = None
        if config.augmented_loss:
            tau = temperature(step)
            augmentation = Augmentation(params["embedding"], tau, config.gamma * tau)
        weights = batch["mask"] / jnp.float32(batch_size)
        value, cross_entropy = softmax_loss(
            out.hidden, out.classifier, out.bias, batch["targets"], weights,
            augmentation, config.teacher_gradient,
        )  # fmt: skip
        carry = jax.lax.stop_gradient(out.carry)
        return value, (carry, {"perplexity": jnp.exp(cross_entropy / time)})

    def evaluate(params, aux, carry, batch):
        out = forward(params, carry, batch, no_masks(config, len(batch["targets"])))
        mask = batch["mask"].astype(jnp.float32)
        _, nll = softmax_loss(out.hidden, out.classifier, out.bias, batch["targets"], mask)
        return out.carry, {"count": mask.sum(), "nll": nll}

    def init_carry(batch_size):
        return zero_carry(config, batch_size)

    return Task(init, loss, evaluate, init_carry, metrics=corpus_metrics)


def corpus_metrics(sums: dict[str, np.ndarray]) -> dict[str, float]:
    """`perplexity` = exp(sum of negative log-likelihoods / number of tokens)."""
    return {"perplexity": float(np.exp(sums["nll"] / sums["count"]))}


def next_word(
    params: dict[str, Any], config: ModelConfig, carry: tuple[LSTMState, ...], words: jax.Array
) -> tuple[tuple[LSTMState, ...], jax.Array]:
    """Reads a text, int [T]: the carry of one lane after it and the next word's logits [V]."""
    model = make_model(config, params["embedding"].shape[0])
    out = model.apply({"params": params}, words[None], carry, no_masks(config, 1))
    logits = out.classifier @ out.hidden[0, -1]
    return out.carry, logits if out.bias is None else logits + out.bias


def generate(
    key: jax.Array,
    params: dict[str, Any],
    config: ModelConfig,
    words: jax.Array,
    num_words: int,
    temperature: float,
) -> jax.Array:
    """Continues a text, int [T], by words drawn from softmax(logits / temperature).

    Returns:
        int [num_words].
    """
    carry, logits = next_word(params, config, zero_carry(config, 1), words)

    def step(state, key):
        carry, logits = state
        word = jax.random.categorical(key, logits / temperature)
        return next_word(params, config, carry, word[None]), word

    return jax.lax.scan(step, (carry, logits), jax.random.split(key, num_words))[1]
