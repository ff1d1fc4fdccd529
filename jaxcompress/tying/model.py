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

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxcompress.nn.lstm import LSTMState, LSTMWeights, lstm
from jaxcompress.tying.config import ModelConfig


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
