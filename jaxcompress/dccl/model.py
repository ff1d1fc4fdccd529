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

import flax.linen as nn
import jax
import jax.numpy as jnp

_TINY = 1e-30  # keeps log alpha finite where softplus underflows


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
