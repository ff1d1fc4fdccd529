"""The language model: an embedding, LSTM layers with variational dropout, a classifier.

Inan, Khosravi & Socher 2017, arXiv 1611.01462: the model of section 2, RE of section 4.

Axis letters: B lanes of text, T tokens of a lane, V words, D units of embedding and of LSTM.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.initializers import Initializer

from jaxcompress.engine.partial_sums import on_every_device
from jaxcompress.nn.lstm import LSTMState, LSTMWeights, lstm
from jaxcompress.tying.config import ModelConfig
from jaxcompress.tying.tables import NO_TABLES, Tables


class Predicted(NamedTuple):
    """What the model makes of a sequence; logits [B, T, V] are `hidden @ classifier.T + bias`.

    They are not made here, since they are large: see `softmax_loss.py`.

    Attributes:
        hidden: float32 [B, T, D], the masked outputs of the last layer.
        embedding: float32 [V, D].
        classifier: float32 [V, D], the embedding if it is reused.
        bias: float32 [V]; None if the embedding is reused.
        carry: the state of each layer after the sequence.
    """

    hidden: jax.Array
    embedding: jax.Array
    classifier: jax.Array
    bias: jax.Array | None
    carry: tuple[LSTMState, ...]


class LanguageModel(nn.Module):
    """Reads words and predicts the one after each (section 2).

    Attributes:
        num_words: V.
        hidden_size: D.
        num_layers: layers of the LSTM.
        init_scale: weights start uniform in [-init_scale, init_scale], biases at zero.
        reuse_embedding: RE: the classifier is the embedding, and has no bias (section 4).
        tables: those of embedding and classifier that are not dense.
    """

    num_words: int
    hidden_size: int
    num_layers: int
    init_scale: float
    reuse_embedding: bool
    tables: Tables = NO_TABLES

    @nn.compact
    def __call__(
        self,
        inputs: jax.Array,
        carry: tuple[LSTMState, ...],
        masks: jax.Array,
        aux: Mapping[str, Any] | None = None,
    ) -> Predicted:
        """Runs over a sequence.

        Args:
            inputs: int [B, T], words by number.
            carry: the state of each layer before the sequence.
            masks: [num_layers, B, D] or [num_layers, B, 1], one for each layer's outputs.
            aux: what tables keep beside their parameters; None: nothing.
        """

        def init(key, shape):
            return jax.random.uniform(key, shape, minval=-self.init_scale, maxval=self.init_scale)

        size, zeros = self.hidden_size, nn.initializers.zeros
        embedding = self._rows("embedding", init, aux or {})
        # A tied embedding has two gradients. That of its rows is sent as rows, and added to the
        # classifier's on each device: two of the whole table would be added up over all devices.
        rows = on_every_device(embedding[on_every_device(inputs.T)], axis=1)
        outputs, after = rows, []
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
            return Predicted(hidden, embedding, embedding, None, tuple(after))
        classifier = self._rows("classifier", init, aux or {})
        bias = self.param("bias", zeros, (self.num_words,))
        return Predicted(hidden, embedding, classifier, bias, tuple(after))

    def _rows(self, name: str, init: Initializer, aux: Mapping[str, Any]) -> jax.Array:
        """Makes the rows of a table, [V, D]; a dense one may stand in the place of any other."""
        if not self.is_initializing():
            return self.tables.rows(name, self.get_variable("params", name), aux)
        if name in self.tables.tables:
            params = self.param(name, self.tables.tables[name].embedding.init)
            return self.tables.rows(name, params, aux)
        return self.param(name, init, (self.num_words, self.hidden_size))


def make_model(config: ModelConfig, num_words: int, tables: Tables = NO_TABLES) -> LanguageModel:
    """Makes the module of a config for so many words; tables that are not given are dense."""
    return LanguageModel(
        num_words,
        config.hidden_size,
        config.num_layers,
        config.init_scale,
        config.reuse_embedding,
        tables,
    )


def zero_carry(config: ModelConfig, batch_size: int) -> tuple[LSTMState, ...]:
    """Makes the state of each layer at the start of a text: zeros [B, D]."""
    zeros = jnp.zeros((batch_size, config.hidden_size))
    return tuple(LSTMState(zeros, zeros) for _ in range(config.num_layers))


def no_masks(config: ModelConfig, batch_size: int) -> jax.Array:
    """Makes masks [num_layers, B, 1] that drop nothing."""
    return jnp.ones((config.num_layers, batch_size, 1))


def dropout_masks(key: jax.Array, config: ModelConfig, batch_size: int) -> jax.Array:
    """Draws masks [num_layers, B, D] of mean 1, one per layer for a whole sequence.

    Variational dropout (Gal & Ghahramani 2016, arXiv 1512.05287). A layer's mask is shared between
    its own next step and the next layer's input; the input embedding has none (section 5).

    The paper does not say how long a sequence is. Here it is one stretch of `unroll` tokens, after
    which masks are drawn anew.
    """
    if not config.dropout:
        return no_masks(config, batch_size)
    keep = 1 - config.dropout
    shape = (config.num_layers, batch_size, config.hidden_size)
    return jax.random.bernoulli(key, keep, shape) / keep
