"""Sums of codewords: the decoder of every artefact with codebooks, on the device.

Axis letters: B rows asked for, N rows of the table, M codebooks, K codewords, D dimensions.
"""

import jax
import jax.numpy as jnp


def sum_codewords(codebooks: jax.Array, codes: jax.Array) -> jax.Array:
    """Sums one codeword of each codebook (Shu & Nakayama 2018, eq. 2).

    XLA's gather of [B, M, D] is an order of magnitude slower on CPU than a sum of M gathers of
    [B, D]. Where there are many more rows than codewords it pays to add the codebooks up in
    pairs first, K*K sums each, which halves the gathers.

    Args:
        codebooks: [M, K, D].
        codes: int [B, M], each in [0, K); not checked.

    Returns:
        [B, D], in the type of the codebooks.
    """
    num_codebooks, num_codewords, dim = codebooks.shape
    codes = codes.astype(jnp.int32)
    if num_codebooks > 1 and num_codewords**2 <= 256 and codes.shape[0] > 2 * num_codewords**2:
        even = num_codebooks - num_codebooks % 2
        first, second = codebooks[0:even:2], codebooks[1:even:2]
        pairs = (first[:, :, None] + second[:, None, :]).reshape(even // 2, -1, dim)
        total = _sum_gathers(pairs, codes[:, 0:even:2] * num_codewords + codes[:, 1:even:2])
        if even < num_codebooks:
            total += _take(codebooks[even], codes[:, even])
        return total
    return _sum_gathers(codebooks, codes)


def _sum_gathers(codebooks: jax.Array, codes: jax.Array) -> jax.Array:
    """Adds one gather at a time. A loop, since XLA fuses a plain sum of gathers into whatever
    reads it, and computes it there element by element: 20 times as long on CPU."""

    def add(m, total):
        return total + _take(codebooks[m], codes[:, m])

    start = jnp.zeros((codes.shape[0], codebooks.shape[2]), codebooks.dtype)
    return jax.lax.fori_loop(0, codebooks.shape[0], add, start, unroll=16)


def _take(codebook: jax.Array, codes: jax.Array) -> jax.Array:
    return codebook.at[codes].get(mode="promise_in_bounds")


@jax.jit
def lookup(codes: jax.Array, codebooks: jax.Array, ids: jax.Array) -> jax.Array:
    """Reconstructs the rows `ids`.

    Args:
        codes: int [N, M].
        codebooks: [M, K, D].
        ids: int, any shape, each in [0, N); under jit they cannot be checked, and an id out of
            range takes the nearest row there is.

    Returns:
        [*ids.shape, D].
    """
    taken = codes.at[ids.reshape(-1)].get(mode="clip")
    return sum_codewords(codebooks, taken).reshape(*ids.shape, codebooks.shape[-1])
