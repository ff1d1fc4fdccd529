"""The autoencoder of DCCL: Gumbel-softmax draws, the encoder, and sums of codewords.

Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning", ICLR 2018,
arXiv 1711.01068, section 3; equations are numbered as there.

Axis letters: B rows of a batch, D dimensions, M codebooks, K codewords, H hidden units.

Departure from the paper: rows may be centred and scaled before they enter (`normalize`).
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

_TINY = 1e-30  # keeps log alpha finite where softplus underflows


def normalize(rows: jax.Array, aux: Mapping[str, jax.Array]) -> jax.Array:
    """Centres and scales rows of a table: (row - mean) / scale. A departure from the paper.

    Args:
        rows: [B, D], in the units of the table.
        aux: `mean` [D] and `scale` [], of the training rows; 0 and 1 if rows stay as they are.

    Returns:
        [B, D], in the units that the model is trained in.
    """
    return (rows - aux["mean"]) / aux["scale"]


def denormalize(rows: jax.Array, aux: Mapping[str, jax.Array]) -> jax.Array:
    """Undoes `normalize`: [B, D] -> [B, D], in the units of the table."""
    return rows * aux["scale"] + aux["mean"]


def gumbel_softmax(alpha: jax.Array, noise: jax.Array, temperature: float | jax.Array) -> jax.Array:
    """Draws relaxed one-hot vectors (eq. 9): softmax((log alpha + G) / tau).

    Gumbel noise is G = -log E, if E is exponentially distributed. At temperature 1 a draw is thus
    alpha / E, divided by its sum, and takes neither a logarithm nor an exponential.

    >>> gumbel_softmax(jnp.array([1.0, 3.0]), jnp.ones(2), 1.0)
    Array([0.25, 0.75], dtype=float32)

    Args:
        alpha: [..., K], positive.
        noise: [..., K]: E, positive.
        temperature: tau; a Python float if it is constant.

    Returns:
        [..., K], non-negative numbers that sum to one over K.
    """
    ratio = alpha / noise
    if isinstance(temperature, float) and temperature == 1.0:
        return ratio / ratio.sum(-1, keepdims=True)
    return jax.nn.softmax(jnp.log(ratio) / temperature, axis=-1)


def exponential_noise(key: jax.Array, shape: tuple[int, int, int]) -> jax.Array:
    """Draws E for `gumbel_softmax`: -log of the midpoints of 2^16 equal intervals of (0, 1).

    Random bits are a third of a step's time on CPU, so each 32 of them make two draws. G then lies
    in [-2.5, 11.8]; values outside would have a probability of 2^-16.

    Args:
        key: of the draw.
        shape: B, M, K.

    Returns:
        float32 [B, M, K], positive.
    """
    num_rows, width = shape[0], shape[1] * shape[2]
    bits = jax.random.bits(key, (num_rows, -(-width // 2)), jnp.uint32)
    halves = jnp.concatenate([bits & 0xFFFF, bits >> 16], axis=1)[:, :width]
    return -jnp.log((halves.astype(jnp.float32) + 0.5) * 2.0**-16).reshape(shape)


class Encoder(nn.Module):
    """Scores the codewords of each codebook (eqs. 6 and 7). rows [B, D] -> alpha [B, M, K] > 0.

    h = tanh(W rows + b), of H units; alpha = softplus(W' h + b').
    """

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
    """Encodes rows, draws codes softly, and sums codewords: the whole autoencoder.

    Codebooks [M, K, D] start as normal numbers of variance `row_scale**2 / M`, so that a sum of M
    codewords has the variance of a row.

    Attributes:
        num_codebooks: M.
        num_codewords: K.
        hidden_size: H.
        row_scale: standard deviation of the rows, per dimension.
    """

    num_codebooks: int
    num_codewords: int
    hidden_size: int
    row_scale: float = 1.0

    @nn.compact
    def __call__(
        self, rows: jax.Array, noise: jax.Array, temperature: float | jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Reconstructs rows from soft codes.

        Args:
            rows: [B, D], normalised.
            noise: E [B, M, K], of `exponential_noise`. If it is all 1, and so is the temperature,
                draws are alpha, divided by its sum over K.
            temperature: tau.

        Returns:
            The reconstruction [B, D] (eq. 10), the draws d [B, M, K] (eq. 9) and alpha [B, M, K].
        """
        shape = (self.num_codebooks, self.num_codewords, rows.shape[-1])
        scale = self.row_scale / self.num_codebooks**0.5
        codebooks = self.param("codebooks", nn.initializers.normal(scale), shape)
        alpha = Encoder(*shape[:2], self.hidden_size, name="encoder")(rows)
        draws = gumbel_softmax(alpha, noise, temperature)
        return _sum_softly(codebooks, draws), draws, alpha


def _sum_softly(codebooks: jax.Array, draws: jax.Array) -> jax.Array:
    """Sums all codewords, each times its draw (eq. 10), as one matrix product.

    codebooks [M, K, D], draws [B, M, K] -> [B, D].
    """
    flat = draws.reshape(draws.shape[0], -1)
    return flat @ codebooks.reshape(flat.shape[1], -1)
