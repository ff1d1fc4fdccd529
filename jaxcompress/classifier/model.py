"""The model: an LSTM reads a text word by word, a linear layer tells its class.

Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning", ICLR 2018,
arXiv 1711.01068, section 5.2, with an LSTM of 150 units. Without the LSTM, the linear layer has the
mean of the vectors (Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods for Text
Classification", ACL 2015, without hidden layers): the simplest thing that could work. What gives
words their vectors is no part of it: see `jaxcompress/tables/`.

Axis letters: B texts, T tokens, D dimensions of a vector, H units, C classes.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxcompress.nn.lstm import LSTMState, LSTMWeights, lstm


class Classifier(nn.Module):
    """An LSTM over vectors, pooled over time, and a linear layer; or no LSTM.

    Attributes:
        network: "lstm", or "mean": the mean of the vectors is classified.
        hidden_size: H.
        num_classes: C.
        pooling: what is classified of the LSTM's outputs: "mean" or "last", see `pool`.
    """

    network: str
    hidden_size: int
    num_classes: int
    pooling: str

    @nn.compact
    def __call__(self, vectors: jax.Array, lengths: jax.Array, mask: jax.Array) -> jax.Array:
        """Classifies texts.

        Args:
            vectors: float [B, T, D]; those behind a text's end change nothing.
            lengths: int [B], at least 1.
            mask: [B, H] or [B, 1]: what the LSTM's outputs are multiplied by.

        Returns:
            Logits [B, C].
        """
        outputs, pooling = jnp.swapaxes(vectors, 0, 1), "mean"
        if self.network == "lstm":
            outputs, pooling = self._lstm_outputs(outputs, mask), self.pooling
        return nn.Dense(self.num_classes, name="classifier")(pool(outputs, lengths, pooling))

    def _lstm_outputs(self, inputs: jax.Array, mask: jax.Array) -> jax.Array:
        """Reads inputs [T, B, D]: outputs [T, B, H]."""
        (_, batch_size, dim), size = inputs.shape, self.hidden_size
        weights = LSTMWeights(
            inputs=self.param("lstm_inputs", nn.initializers.glorot_uniform(), (dim, 4 * size)),
            outputs=self.param("lstm_outputs", nn.initializers.orthogonal(), (size, 4 * size)),
            bias=self.param("lstm_bias", _open_forget_gates, (4 * size,)),
        )
        zeros = jnp.zeros((batch_size, size))
        return lstm(weights, inputs, LSTMState(zeros, zeros), mask)[0]


def pool(outputs: jax.Array, lengths: jax.Array, pooling: str) -> jax.Array:
    """Pools outputs [T, B, H] over each text's own tokens, `lengths` int [B] -> [B, H].

    "last" takes the output at the last token. The default, "mean", is a departure: the paper does
    not say which outputs it classifies.

    >>> outputs = jnp.array([1.0, 3.0, 100.0]).reshape(3, 1, 1)
    >>> [float(pool(outputs, jnp.array([2]), pooling)[0, 0]) for pooling in ("mean", "last")]
    [2.0, 3.0]
    """
    time, batch_size, _ = outputs.shape
    if pooling == "last":
        return outputs[lengths - 1, jnp.arange(batch_size)]
    valid = jnp.arange(time)[:, None] < lengths
    return jnp.einsum("tbh,tb->bh", outputs, valid / lengths)


def _open_forget_gates(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Makes the first bias [4H]: 1 for forget gates, 0 for the others (Jozefowicz et al., 2015).

    A departure: the paper does not say what biases start at.
    """
    return jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), shape[0] // 4)
