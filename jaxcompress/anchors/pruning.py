"""Pruning: which entries of a table matter least, and how many stay at a step.

None of it is in the paper of Anchor & Transform; the sources stand at each function.

Axis letters: V rows, K entries of a row, D dimensions.
"""

from typing import Any

import jax
import jax.numpy as jnp

_COUNT_POWER = 0.7  # the exponent p of `saliency`


def saliency(
    transform: jax.Array, anchors: jax.Array, counts: jax.Array, others: jax.Array
) -> jax.Array:
    """Estimates how much the squared error over all ratings rises if an entry of T is set to 0.

    `T[v, k]^2 * counts[v]^p * A[k] C A[k]'`, with C the mean outer product of the rows that row v
    is multiplied by. At p = 1 this is the diagonal second-order term of "Optimal Brain Damage"
    (LeCun et al., 1989) for predictions that are inner products, with one C for all rows. Here p is
    0.7: frequent rows get fewer entries, which generalises better, since their last ones fit noise.

    Args:
        transform: T [V, K].
        anchors: A [K, D].
        counts: [V], ratings of each row.
        others: C [D, D].

    Returns:
        Saliencies [V, K].
    """
    curvature = jnp.einsum("kd,de,ke->k", anchors, others, anchors)
    return transform**2 * counts[:, None] ** _COUNT_POWER * curvature


def keep_largest(scores: list[jax.Array], tables: list[jax.Array], count: Any) -> list[jax.Array]:
    """Keeps the `count` entries of largest scores over all tables, and sets the others to 0.

    Entries whose scores equal the last one kept are kept too.

    >>> kept = keep_largest([jnp.array([3.0, 1.0]), jnp.array([2.0])],
    ...                     [jnp.array([5.0, 6.0]), jnp.array([7.0])], 2)
    >>> [table.tolist() for table in kept]
    [[5.0, 0.0], [7.0]]
    """
    ordered = jnp.sort(jnp.concatenate([score.reshape(-1) for score in scores]))
    threshold = ordered[jnp.clip(len(ordered) - count, 0, len(ordered) - 1)]
    return [jnp.where(s >= threshold, t, 0.0) for s, t in zip(scores, tables, strict=True)]


def gradual_count(step: jax.Array, start: int, end: int, full: int, target: int) -> jax.Array:
    """Computes how many entries stay at a step: int32 [], along a cubic curve.

    Zhu & Gupta, "To prune, or not to prune", 2017, arXiv 1710.01878, eq. 1.

    Args:
        step: int [], optimiser steps so far.
        start: the step at which all `full` entries are there still.
        end: the step from which on `target` entries are left.
        full: entries at first.
        target: entries at last.
    """
    left = jnp.clip(1.0 - (step - start) / max(end - start, 1), 0.0, 1.0) ** 3
    return (target + (full - target) * left).astype(jnp.int32)
