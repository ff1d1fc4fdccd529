"""Noise on codebooks, by which refinement leaves a poor place: simulated annealing.

Martinez et al., "LSQ++", ECCV 2018, section 4.2 (SR-D), perturb the codebooks between rounds, less
and less. There the noise has the covariance of the table; here it is measured by the error of the
codes, so that it suits codes of any size.

Axis letters: M codebooks, K codewords, D dimensions, G groups.
"""

import jax
import jax.numpy as jnp

from jaxcompress.codes.groups import Groups

_POWER = 2  # of the share of rounds that are left
_RISE = 0.1  # of the error, by the noise of the first rounds


def noise_amount(round_number: int, num_rounds: int) -> float:
    """Tells how much noise follows round `round_number`, from 0; it falls to 0.

    >>> [noise_amount(i, num_rounds=4) for i in range(4)]
    [0.5625, 0.25, 0.0625, 0.0]
    """
    return (1 - (round_number + 1) / num_rounds) ** _POWER


def noise_scale(codebooks: jax.Array, error: float, groups: Groups | None = None) -> jax.Array:
    """Computes the standard deviation of the noise at amount 1: [M, K, D] -> [M, 1, D].

    It is such that the noise of all codebooks together raises the squared error of a row by a
    tenth; fine codebooks would not survive a part of what coarse ones tell apart. Dimensions have
    their shares of it by how far codewords are apart in them.

    Args:
        codebooks: [M, K, D].
        error: mean squared L2 of the codes, in the same units.
        groups: the layout of the codebooks; there is no noise outside of their slices.
    """
    variances = jnp.var(codebooks, axis=1).sum(axis=0)
    shares = variances / jnp.maximum(variances.sum(), jnp.finfo(jnp.float32).tiny)
    groups = groups or Groups(len(codebooks), 1)
    spans = jnp.asarray(groups.spans(len(codebooks), codebooks.shape[2]), jnp.float32)
    scale = jnp.sqrt(_RISE * error * shares / spans.sum(axis=0))
    return (spans * scale)[:, None, :]


@jax.jit
def add_noise(key: jax.Array, codebooks: jax.Array, scale: jax.Array, amount: float) -> jax.Array:
    """Adds normal noise of so many times `scale` to codebooks [M, K, D]."""
    return codebooks + amount * scale * jax.random.normal(key, codebooks.shape)
