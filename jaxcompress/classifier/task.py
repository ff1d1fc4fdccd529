"""A classifier of texts, by which vectors are judged at work.

The task of Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning",
ICLR 2018, arXiv 1711.01068, section 5.2: an LSTM of 150 units reads a review word by word; a linear
layer tells its class. What gives words their vectors is an argument: see `token_embeddings.py`.

Axis letters: B texts, T tokens, D dimensions of a vector, H units, C classes.

Departures from the paper, which leaves these open: dropout is variational, one mask for a whole
text, of vectors and of the LSTM's outputs; forget gates start open.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxcompress.anchors.proximal_yogi import proximal_yogi
from jaxcompress.classifier.config import ModelConfig, OptimizerConfig
from jaxcompress.classifier.model import Classifier
from jaxcompress.engine.task import Task
from jaxcompress.tables.word_table import Embedding

_EPS = 1e-6  # of Yogi: a word's row has gradients so small that by the paper's 1e-3 it hardly moves


def make_task(config: ModelConfig, num_classes: int, embedding: Embedding, dim: int) -> Task:
    """Builds the functions of the method.

    Args:
        config: the model's.
        num_classes: C.
        embedding: what gives tokens their vectors.
        dim: D.
    """
    model = Classifier(config.hidden_size, num_classes, config.pooling)

    def init(key):
        keys = jax.random.split(key)
        ones = jnp.ones((1, 1))
        params = model.init(keys[0], jnp.zeros((1, 1, dim)), jnp.ones(1, int), ones)["params"]
        return {**params, "embedding": embedding.init(keys[1])}, {}

    def logits(params, batch, vector_mask, output_mask):
        vectors = embedding.apply(params["embedding"], batch["tokens"]) * vector_mask[:, None]
        return model.apply({"params": params}, vectors, batch["lengths"], output_mask)

    def loss(params, aux, carry, batch, step, key):
        masks = jnp.ones((2, 1, 1))
        if config.dropout:
            keys, keep = jax.random.split(key), 1 - config.dropout
            masks = [
                jax.random.bernoulli(k, keep, (len(batch["labels"]), size)) / keep
                for k, size in zip(keys, (dim, config.hidden_size), strict=True)
            ]
        found = logits(params, batch, *masks)
        losses = optax.softmax_cross_entropy_with_integer_labels(found, batch["labels"])
        right = found.argmax(axis=-1) == batch["labels"]
        return losses.mean(), (carry, {"accuracy": right.mean()})

    def evaluate(params, aux, carry, batch):
        found = logits(params, batch, *jnp.ones((2, 1, 1)))
        losses = optax.softmax_cross_entropy_with_integer_labels(found, batch["labels"])
        right = found.argmax(axis=-1) == batch["labels"]
        mask = batch["mask"]
        return carry, {
            "count": mask.sum(),
            "cross_entropy": jnp.where(mask, losses, 0).sum(),
            "accuracy": (mask & right).sum(),
        }

    return Task(init, loss, evaluate)


def make_optimizer(
    config: OptimizerConfig, num_steps: int, embedding: Embedding
) -> optax.GradientTransformation:
    """Adam at a rate that falls to 0; a transform is learned by proximal Yogi."""
    rate = optax.cosine_decay_schedule(config.learning_rate, num_steps)
    tx = optax.adam(rate)
    if embedding.non_negative:
        proximal = proximal_yogi(
            rate,
            lambda params: _by_name(params, config.penalty, None),
            non_negative=lambda params: _by_name(params, True, False),
            eps=_EPS,
            initial_nu=_EPS**2,
        )
        tx = optax.partition(
            {"embedding": proximal, "rest": tx},
            lambda params: {k: "embedding" if k == "embedding" else "rest" for k in params},
        )
    if config.clip_norm is None:
        return tx
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), tx)


def _by_name(params: Any, transform: Any, other: Any) -> Any:
    """One value for a pytree's transform, another for the rest."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: transform if path[-1].key == "transform" else other, params
    )
