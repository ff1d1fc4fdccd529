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

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.engine.task import Task
from jaxcompress.tying.config import ModelConfig, OptimizerConfig
from jaxcompress.tying.model import dropout_masks, make_model, no_masks, zero_carry
from jaxcompress.tying.softmax_loss import Augmentation, softmax_loss


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
    `data.text.lanes.gather_lanes`.

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
