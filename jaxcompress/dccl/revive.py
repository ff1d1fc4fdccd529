"""Codewords that no row uses start anew: a departure from the paper (`model.revive`).

Axis letters: D dimensions, M codebooks, K codewords, H hidden units.
"""

import jax
import jax.numpy as jnp

_NOISE = 0.01  # of the standard deviation of what it is added to


def revive_codewords(key: jax.Array, params: dict, usage: jax.Array) -> dict:
    """Lets each dead codeword start anew beside a codeword that is used much.

    In each codebook the n-th dead codeword takes the codeword and the encoder's scores of the n-th
    most used one, with a little noise: the two share its rows at first, and then part.

    Args:
        key: of the noise.
        params: `codebooks` [M, K, D]; and `encoder`, of which the `scores` layer has `kernel`
            [H, M*K] and `bias` [M*K].
        usage: [M, K], how many of a sample of training rows use each codeword.

    Returns:
        Parameters of the same shapes; those of codewords in use are unchanged.
    """
    codebooks, scores = params["codebooks"], params["encoder"]["scores"]
    source = _sources(usage)
    moved = source != jnp.arange(usage.shape[1])
    flat = (source + usage.shape[1] * jnp.arange(usage.shape[0])[:, None]).reshape(-1)

    keys = jax.random.split(key)
    noise = _NOISE * moved[..., None] * jax.random.normal(keys[0], codebooks.shape)
    taken = jnp.take_along_axis(codebooks, source[..., None], axis=1)
    kernel, bias = scores["kernel"][:, flat], scores["bias"][flat]
    kernel_noise = _NOISE * moved.reshape(-1) * jax.random.normal(keys[1], kernel.shape)
    return {
        **params,
        "codebooks": taken + noise * codebooks.std(),
        "encoder": {
            **params["encoder"],
            "scores": {"kernel": kernel + kernel_noise * kernel.std(), "bias": bias},
        },
    }


def _sources(usage: jax.Array) -> jax.Array:
    """Finds the codeword whose values each codeword takes: its own, or if it is dead, a donor's.

    A donor that at most one row uses would have nothing to share.

    >>> _sources(jnp.array([[5.0, 0.0, 9.0, 0.0], [1.0, 0.0, 1.0, 1.0]]))
    Array([[0, 2, 2, 0],
           [0, 1, 2, 3]], dtype=int32)

    Args:
        usage: [M, K].

    Returns:
        int32 [M, K], numbers of codewords of the same codebook.
    """
    own = jnp.arange(usage.shape[1])
    dead = usage == 0
    rank_of_dead = jnp.cumsum(dead, axis=1) - 1
    by_use = jnp.argsort(-usage, axis=1)
    donor = jnp.take_along_axis(by_use, rank_of_dead.clip(min=0), axis=1)
    donor_lives = jnp.take_along_axis(usage, donor, axis=1) > 1
    return jnp.where(dead & donor_lives, donor, own)
