"""Anchor & Transform: a table whose rows are sparse non-negative mixes of a few anchors.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197. E = T A (eq. 1): anchors A are dense and few, the
transform T is sparse and at least 0, by an L1 penalty and the proximal step (algorithm 1,
`jaxcompress/optim.py`). NBANT lets the objective choose the number of anchors.

Axis letters: B batch, V rows, K anchors (NBANT: as many as there may be), D dimensions.

Departures from the paper, both off in `configs/*.py:ant-paper`:
- After the L1 phase the entries of T that matter least are dropped until a number of parameters is
  met, and what is left is fitted without penalty: L1 shrinks what it keeps.
- NBANT goes on in the direction in which its objective falls (`climb`); the rule of the reference
  grows on falling objectives and shrinks on rising ones, whatever the last change was.
"""

from typing import Any

import jax
import jax.numpy as jnp

_COUNT_POWER = 0.7  # p of `saliency`


def saliency(
    transform: jax.Array, anchors: jax.Array, counts: jax.Array, others: jax.Array
) -> jax.Array:
    """How much the squared error over all ratings rises when an entry of T is set to 0.

    `T[v, k]^2 * counts[v]^p * A[k] C A[k]'`, with C the mean outer product of the rows that row v
    is multiplied by. At p = 1 this is the diagonal second-order term of "Optimal Brain Damage"
    (LeCun et al., 1989) for predictions that are inner products, with one C for all rows; at 0.7
    frequent rows get fewer entries, which generalises better: their last ones fit noise.

    Args:
        transform: [V, K].
        anchors: [K, D].
        counts: [V], ratings of a row.
        others: C [D, D].

    Returns:
        [V, K].
    """
    curvature = jnp.einsum("kd,de,ke->k", anchors, others, anchors)
    return transform**2 * counts[:, None] ** _COUNT_POWER * curvature


def keep_largest(scores: list[jax.Array], tables: list[jax.Array], count: Any) -> list[jax.Array]:
    """Sets all entries of the tables to 0 but the `count` of largest scores; ties are kept."""
    ordered = jnp.sort(jnp.concatenate([score.reshape(-1) for score in scores]))
    threshold = ordered[jnp.clip(len(ordered) - count, 0, len(ordered) - 1)]
    return [jnp.where(s >= threshold, t, 0.0) for s, t in zip(scores, tables, strict=True)]


def gradual_count(step: jax.Array, start: int, end: int, full: int, target: int) -> jax.Array:
    """Entries kept at a step: all at `start`, `target` from `end` on, along a cubic curve.

    Zhu & Gupta, "To prune, or not to prune", 2017, arXiv 1710.01878, eq. 1.
    """
    left = jnp.clip(1.0 - (step - start) / max(end - start, 1), 0.0, 1.0) ** 3
    return (target + (full - target) * left).astype(jnp.int32)
