"""Noise on codebooks, by which refinement leaves a poor place: simulated annealing.

Martinez et al., "LSQ++", ECCV 2018, section 4.2 (SR-D), perturb the codebooks between rounds, less
and less. There the noise has the covariance of the table; here it has the spread of the codebooks
that a search takes together, dimension by dimension, so that it suits codebooks of slices too.

Axis letters: M codebooks, K codewords, D dimensions, G groups.
"""

import jax
import jax.numpy as jnp

from jaxcompress.codes.groups import Groups

_POWER = 2  # of the share of rounds that are left


def noise_amount(round_number: int, num_rounds: int) -> float:
    """Tells how much noise follows round `round_number`, from 0; it falls to 0.

    >>> [noise_amount(i, num_rounds=4) for i in range(4)]
    [0.5625, 0.25, 0.0625, 0.0]
    """
    return (1 - (round_number + 1) / num_rounds) ** _POWER


def noise_scale(codebooks: jax.Array, groups: Groups | None = None) -> jax.Array:
    """Computes the standard deviation of the noise at amount 1: [M, K, D] -> [M, 1, D].

    It is that of a sum of codewords, one from each of M codebooks, divided by M: the M codebooks
    together are moved by 1/sqrt(M) of what they tell apart. Codebooks that span all dimensions are
    counted together, and those of each group.
    """
    shared = len(codebooks) if groups is None else groups.num_shared
    variances = jnp.var(codebooks, axis=1)
    scales = [_scale_together(variances[:shared])]
    if groups is not None:
        parts = variances[shared:].reshape(groups.num_groups, -1, codebooks.shape[2])
        scales += [_scale_together(part) for part in parts]
    return jnp.concatenate(scales)[:, None, :]


def _scale_together(variances: jax.Array) -> jax.Array:
    """Gives the scale of codebooks that are searched together: variances [M, D] -> [M, D]."""
    scale = jnp.sqrt(variances.sum(axis=0)) / max(1, len(variances))
    return jnp.broadcast_to(scale, variances.shape)


@jax.jit
def add_noise(key: jax.Array, codebooks: jax.Array, scale: jax.Array, amount: float) -> jax.Array:
    """Adds normal noise of so many times `scale` to codebooks [M, K, D]."""
    return codebooks + amount * scale * jax.random.normal(key, codebooks.shape)
