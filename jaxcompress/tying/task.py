"""What is trained: the loss, the evaluation, what changes with the step, and the optimiser.

Inan, Khosravi & Socher 2017, arXiv 1611.01462, sections 3 to 5.

Axis letters: B lanes of text, T tokens of a lane, V words, D units.

Departures from the paper: the embedding can stay as it is in the first epochs (`freeze_embedding`),
which is off by default; and those of `teacher.py`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.engine.task import Task, unchanged
from jaxcompress.nn.lstm import LSTMState
from jaxcompress.tables.adapt import anchors_optimizer
from jaxcompress.tables.config import ADAPTIVE_RATE, OF_ANCHORS, TableConfig
from jaxcompress.tying.config import ModelConfig, OptimizerConfig
from jaxcompress.tying.model import (
    LanguageModel,
    Predicted,
    dropout_masks,
    make_model,
    no_masks,
    zero_carry,
)
from jaxcompress.tying.softmax_loss import softmax_loss
from jaxcompress.tying.tables import NO_TABLES, Tables
from jaxcompress.tying.teacher import make_teacher, sharpness, sharpness_note, temperature_at


def make_optimizer(
    config: OptimizerConfig,
    steps_per_epoch: int,
    own: Mapping[str, TableConfig] = MappingProxyType({}),
    tables: Tables = NO_TABLES,
) -> optax.GradientTransformation:
    """Makes SGD of gradients of bounded norm, at a rate that falls by epochs.

    In epoch e, from 0, the rate is learning_rate * decay^max(e - full_epochs + 1, 0). Tables may
    have rates of their own, which fall likewise, and Adam; those of anchors have proximal Yogi.

    Args:
        config: the optimiser's.
        steps_per_epoch: steps before the rate can fall again.
        own: the configs of tables, by name.
        tables: those that are not dense.
    """

    def falls(step):
        epoch = step // steps_per_epoch
        return config.decay ** jnp.maximum(epoch - config.full_epochs + 1, 0)

    def sgd(rate):
        return optax.sgd(lambda step: rate * falls(step))

    def of_table(name, table):
        if table.kind in OF_ANCHORS:
            return anchors_optimizer(table, tables.plans[name], falls)
        if table.adaptive:
            rate = table.learning_rate or ADAPTIVE_RATE
            return optax.adam(lambda step: rate * falls(step))
        return None if table.learning_rate is None else sgd(table.learning_rate)

    tx, found = sgd(config.learning_rate), {n: of_table(n, table) for n, table in own.items()}
    others = {name: tx_of_table for name, tx_of_table in found.items() if tx_of_table is not None}
    if others:
        # The names are part of a checkpoint.
        tx = optax.partition(
            {**others, "rest": tx}, lambda params: {k: k if k in others else "rest" for k in params}
        )
    if config.clip_norm is None:
        return tx
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), tx)


def freeze_embedding(params: dict[str, Any], step: jax.Array, num_steps: int) -> dict[str, Any]:
    """Makes the same parameters, whose embedding gets no gradient before step `num_steps`."""

    def freeze(leaf):
        fixed = jax.lax.stop_gradient(leaf)
        return fixed + (step >= num_steps) * (leaf - fixed)

    return {**params, "embedding": jax.tree.map(freeze, params["embedding"])}


def make_task(
    config: ModelConfig,
    num_words: int,
    steps_per_epoch: int,
    embedding: np.ndarray | None = None,
    known: np.ndarray | None = None,
    tables: Tables = NO_TABLES,
) -> Task:
    """Makes the functions that the loop runs.

    - params, float32: `embedding` [V, D]; for layer i `lstm_i_inputs` and `lstm_i_outputs` [D, 4D]
      and `lstm_i_bias` [4D]; without RE `classifier` [V, D] and `bias` [V]. A table that is not
      dense has the parameters of its kind, and aux: `data` and what its `Embedding` keeps.
    - Batches, as `data.text.lanes.gather_lanes` makes them: `inputs` and `targets` int32 [B, T],
      words in [0, V) and those after them; `mask` bool [B, T], false for a token that does not
      count; `first` bool [B], true for a lane that begins here, whose carry is set to zero.
    - Carry: an `LSTMState` for each layer, output and cell float32 [B, D].
    - Sums, float32 []: `count`, tokens; `nll`, their negative log-likelihood in nats.
    - Metrics of a step: `perplexity`, exp(cross-entropy of a token); with AL `sharpness` of the
      table. Figure of an evaluation: `perplexity`, of all tokens together (`corpus_metrics`).

    The loss, in nats, is the mean over lanes of the sum over time, which the published learning
    rates and norms suppose.

    Args:
        config: the model's.
        num_words: V.
        steps_per_epoch: steps of an epoch, by which the config counts `temperature_epochs` and
            `frozen_epochs`.
        embedding: float32 [V, D], first values of the rows that `known` marks; None: all are
            random.
        known: bool [V]; None if there is no `embedding`.
        tables: those of embedding and classifier that are not dense.
    """
    model = make_model(config, num_words, tables)

    def init(key):
        aux = tables.first_aux()
        return _first_values(key, model, config, aux, embedding, known), aux

    def loss(params, aux, carry, batch, step, key):
        batch_size, time = batch["targets"].shape
        if config.frozen_epochs:
            params = freeze_embedding(params, step, config.frozen_epochs * steps_per_epoch)
        masks = dropout_masks(key, config, batch_size)
        predicted = _predict(model, params, aux, carry, batch, masks)
        weights = batch["mask"] / jnp.float32(batch_size)
        rising = config.temperature_epochs * steps_per_epoch
        tau = temperature_at(step, rising, config.initial_temperature, config.temperature)
        augmentation = make_teacher(config, predicted.embedding, tau)
        value, cross_entropy = _loss(
            predicted, batch["targets"], weights, augmentation, config.teacher_gradient
        )
        carry = jax.lax.stop_gradient(predicted.carry)  # backpropagation ends with the sequence
        metrics = {"perplexity": jnp.exp(cross_entropy / time)}
        if augmentation is not None:
            metrics["sharpness"] = sharpness(predicted.embedding, tau)
        return value, (carry, metrics)

    def evaluate(params, aux, carry, batch):
        masks = no_masks(config, len(batch["targets"]))
        predicted = _predict(model, params, aux, carry, batch, masks)
        mask = batch["mask"].astype(jnp.float32)
        _, nll = _loss(predicted, batch["targets"], mask)
        return predicted.carry, {"count": mask.sum(), "nll": nll}

    def init_carry(batch_size):
        return zero_carry(config, batch_size)

    def remark(metrics):
        return sharpness_note(config, metrics["sharpness"]) if config.augmented_loss else None

    def after_eval(step, key, params, aux, sums):
        (found,) = sums.values()
        return tables.adapt(step, key, params, aux, found["nll"] / found["count"])

    return Task(
        init,
        loss,
        evaluate,
        init_carry,
        after_eval if tables.change else unchanged,
        metrics=corpus_metrics,
        remark=remark,
    )


def make_hidden_sums(
    config: ModelConfig, num_words: int, tables: Tables = NO_TABLES
) -> Callable[..., Any]:
    """Makes the function that sums what the model multiplies with the rows of its classifier.

    It takes and returns what `Task.evaluate` of `make_task` does, but for the sums: `count`, the
    tokens, and `second_moment` [D, D], the sum of h h^T over their hidden states h, nothing
    dropped.

    Args:
        config: the model's.
        num_words: V.
        tables: those that are not dense.
    """
    model = make_model(config, num_words, tables)

    def sum_hidden(params, aux, carry, batch):
        masks = no_masks(config, len(batch["targets"]))
        predicted = _predict(model, params, aux, carry, batch, masks)
        hidden = predicted.hidden * batch["mask"][..., None]
        second_moment = jnp.einsum("btd,bte->de", hidden, hidden, precision="highest")
        count = batch["mask"].astype(jnp.float32).sum()
        return predicted.carry, {"count": count, "second_moment": second_moment}

    return sum_hidden


def _first_values(
    key: jax.Array,
    model: LanguageModel,
    config: ModelConfig,
    aux: dict[str, Any],
    embedding: np.ndarray | None,
    known: np.ndarray | None,
) -> dict[str, Any]:
    """Draws the parameters, and puts the given rows into the embedding."""
    inputs, carry = jnp.zeros((1, 1), jnp.int32), zero_carry(config, 1)
    params = model.init(key, inputs, carry, no_masks(config, 1), aux)["params"]
    if embedding is not None:
        params["embedding"] = jnp.where(known[:, None], embedding, params["embedding"])
    return params


def _predict(
    model: LanguageModel,
    params: dict[str, Any],
    aux: dict[str, Any],
    carry: tuple[LSTMState, ...],
    batch: dict[str, jax.Array],
    masks: jax.Array,
) -> Predicted:
    """Runs the model over a batch, from a carry of zeros in the lanes that begin here."""
    goes_on = ~batch["first"][:, None]
    carry = jax.tree.map(lambda x: x * goes_on, carry)
    return model.apply({"params": params}, batch["inputs"], carry, masks, aux)


def _loss(
    predicted: Predicted, targets: jax.Array, weights: jax.Array, *others: Any
) -> tuple[jax.Array, jax.Array]:
    """Computes `softmax_loss` of what the model predicted."""
    logits = (predicted.hidden, predicted.classifier, predicted.bias)
    return softmax_loss(*logits, targets, weights, *others)


def corpus_metrics(sums: dict[str, np.ndarray]) -> dict[str, float]:
    """Computes `perplexity` = exp(sum of negative log-likelihoods / number of tokens).

    >>> corpus_metrics({"nll": np.float64(6), "count": np.float64(3)})  # exp(2)
    {'perplexity': 7.38905609893065}
    """
    return {"perplexity": float(np.exp(sums["nll"] / sums["count"]))}
