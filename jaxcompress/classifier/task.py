"""What is trained: the cross-entropy of a text's class; and by which optimiser.

The task of Shu & Nakayama, ICLR 2018, arXiv 1711.01068, section 5.2.

Axis letters: B texts, T tokens, D dimensions of a vector, H units, C classes.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress.anchors.yogi import proximal_yogi
from jaxcompress.classifier.config import ModelConfig, OptimizerConfig
from jaxcompress.classifier.model import Classifier
from jaxcompress.engine.task import Task, unchanged
from jaxcompress.tables import Embedding

_NO_MASK = np.ones((1, 1), np.float32)
_EPS = 1e-6  # Yogi's epsilon, see `make_optimizer`


def make_task(config: ModelConfig, num_classes: int, embedding: Embedding, dim: int) -> Task:
    """Makes the functions that the loop runs.

    Batches: `tokens`, as `WordTable.gather` makes them, arrays [B, T] or [B, T, ...]; `lengths`
    int32 [B], at least 1 and at most T; `labels` int32 [B], in [0, C); `mask` bool [B], false for a
    text that fills up the last batch of an evaluation. Tokens behind a text's end are of any value.
    Sums: `count`, int32 [], texts; `cross_entropy`, float32 [], nats; `accuracy`, int32 [], texts
    whose class was found. Metrics of a training batch: `accuracy`, a share.
    Params: those of `Classifier`, and `embedding`: those of the table. Aux: that of the table. No
    carry.

    Args:
        config: the model's.
        num_classes: C.
        embedding: what turns tokens into vectors.
        dim: D.
    """
    model = _model(config, num_classes)
    classify = make_classify(config, num_classes, embedding)

    def init(key):
        model_key, embedding_key = jax.random.split(key)
        vectors, lengths, no_mask = jnp.zeros((1, 1, dim)), jnp.ones(1, int), jnp.ones((1, 1))
        params = model.init(model_key, vectors, lengths, no_mask)["params"]
        return {**params, "embedding": embedding.init(embedding_key)}, embedding.aux()

    def loss(params, aux, carry, batch, step, key):
        sizes = (dim, config.hidden_size)
        masks = dropout_masks(key, config.dropout, len(batch["labels"]), sizes)
        losses, is_right = _judge(classify(params, aux, batch, *masks), batch["labels"])
        return losses.mean(), (carry, {"accuracy": is_right.mean()})

    def evaluate(params, aux, carry, batch):
        losses, is_right = _judge(classify(params, aux, batch), batch["labels"])
        mask = batch["mask"]
        return carry, {
            "count": mask.sum(),
            "cross_entropy": jnp.where(mask, losses, 0).sum(),
            "accuracy": (mask & is_right).sum(),
        }

    def after_eval(step, key, params, aux, sums):
        (found,) = sums.values()
        loss = found["cross_entropy"] / found["count"]
        table, aux = embedding.adapt(step, key, params["embedding"], aux, loss)
        return {**params, "embedding": table}, aux

    return Task(
        init=init,
        loss=loss,
        evaluate=evaluate,
        after_eval=after_eval if embedding.adapt else unchanged,
    )


def make_classify(
    config: ModelConfig, num_classes: int, embedding: Embedding
) -> Callable[..., jax.Array]:
    """Makes `params, aux, batch -> logits [B, C]`; masks of vectors and of outputs may follow.

    The arguments are those of `make_task`.
    """
    model = _model(config, num_classes)

    def classify(params, aux, batch, vector_mask=_NO_MASK, output_mask=_NO_MASK):
        table = {**params["embedding"], **aux}
        vectors = embedding.apply(table, batch["tokens"]) * vector_mask[:, None]
        return model.apply({"params": params}, vectors, batch["lengths"], output_mask)

    return classify


def _model(config: ModelConfig, num_classes: int) -> Classifier:
    return Classifier(config.network, config.hidden_size, num_classes, config.pooling)


def dropout_masks(
    key: jax.Array, dropout: float, batch_size: int, sizes: Sequence[int]
) -> list[jax.Array]:
    """Draws what vectors and outputs are multiplied by, [B, size] each; [1, 1] without dropout.

    Variational: one mask for a whole text. A departure: the paper does not say what it drops.
    """
    if not dropout:
        return [jnp.ones((1, 1)) for _ in sizes]
    keep = 1 - dropout
    return [
        jax.random.bernoulli(k, keep, (batch_size, size)) / keep
        for k, size in zip(jax.random.split(key, len(sizes)), sizes, strict=True)
    ]


def _judge(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes the cross-entropies float [B] of logits [B, C], and whether the class was found."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses, logits.argmax(axis=-1) == labels


def make_optimizer(
    config: OptimizerConfig, num_steps: int, embedding: Embedding
) -> optax.GradientTransformation:
    """Makes Adam at a rate that falls to 0 along a cosine; a table of anchors has proximal Yogi.

    A table has a rate of its own, since a row of it moves only in the steps that meet its word.

    Two departures. Shu & Nakayama do not say which schedule the rate follows. Liang et al. have
    1e-3 as Yogi's epsilon; the gradients of a word's row are far smaller than that here, and the
    row would hardly move, so that it is 1e-6.

    Args:
        config: the optimiser's.
        num_steps: steps until the rate is 0.
        embedding: whether it is of anchors, by its `non_negative`.
    """
    rate = optax.cosine_decay_schedule(config.learning_rate, num_steps)
    table_rate = optax.cosine_decay_schedule(config.table_rate or config.learning_rate, num_steps)
    tx = optax.adam(rate)
    if embedding.non_negative or config.table_rate:
        of_table = (
            proximal_yogi(table_rate, config.penalty, eps=_EPS, initial_nu=_EPS**2)
            if embedding.non_negative
            else optax.adam(table_rate)
        )
        tx = optax.partition(
            {"embedding": of_table, "rest": tx},
            # The two names are part of a checkpoint.
            lambda params: {k: "embedding" if k == "embedding" else "rest" for k in params},
        )
    if config.clip_norm is None:
        return tx
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), tx)
