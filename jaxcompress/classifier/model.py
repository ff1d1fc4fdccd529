"""A classifier of texts, by which vectors are judged at work.

The task of Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning",
ICLR 2018, arXiv 1711.01068, section 5.2: an LSTM of 150 units reads a review word by word; a linear
layer tells its class. What gives words their vectors is an argument: see `token_embeddings.py`.

Axis letters: B texts, T tokens, D dimensions of a vector, H units, C classes.

Departures from the paper, which leaves these open: dropout is variational, one mask for a whole
text, of vectors and of the LSTM's outputs; forget gates start open.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxcompress.nn.lstm import LSTMState, LSTMWeights, lstm


class Classifier(nn.Module):
    """An LSTM over vectors, pooled over time, and a linear layer."""

    hidden_size: int
    num_classes: int
    pooling: str

    @nn.compact
    def __call__(self, vectors: jax.Array, lengths: jax.Array, mask: jax.Array) -> jax.Array:
        """Classifies texts.

        Args:
            vectors: [B, T, D]; what lies behind a text's end changes nothing.
            lengths: int [B], at least 1.
            mask: [B, H] or [B, 1]: what the LSTM's outputs are multiplied by.

        Returns:
            Logits [B, C].
        """
        (batch_size, time, dim), size = vectors.shape, self.hidden_size
        weights = LSTMWeights(
            self.param("lstm_inputs", nn.initializers.glorot_uniform(), (dim, 4 * size)),
            self.param("lstm_outputs", nn.initializers.orthogonal(), (size, 4 * size)),
            self.param("lstm_bias", _open_forget_gates, (4 * size,)),
        )
        zeros = jnp.zeros((batch_size, size))
        outputs, _ = lstm(weights, jnp.swapaxes(vectors, 0, 1), LSTMState(zeros, zeros), mask)
        if self.pooling == "last":
            pooled = outputs[lengths - 1, jnp.arange(batch_size)]
        else:
            valid = jnp.arange(time)[:, None] < lengths
            pooled = jnp.einsum("tbh,tb->bh", outputs, valid / lengths)
        return nn.Dense(self.num_classes, name="classifier")(pooled)


def _open_forget_gates(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """1 for forget gates, 0 for the others (Jozefowicz et al., 2015)."""
    return jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), shape[0] // 4)
