"""Products of all rows of a table of mixes with a query, and how exact they are. NumPy only.

Axis letters: V rows, K anchors, D dimensions; nnz entries that are not zero.
"""

import numpy as np

_EPS, _TINY = (float(getattr(np.finfo(np.float32), n)) for n in ("eps", "smallest_subnormal"))


def sum_products(
    counts: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    anchors: np.ndarray,
    query: np.ndarray,
) -> np.ndarray:
    """Multiplies all rows with a query float64 [D], by way of the anchors: float64 [V].

    The other arguments are fields of `SparseAnchors`.
    """
    of_anchors = np.einsum("kd,d->k", anchors, query, dtype=np.float64)
    return _sum_entries(values * of_anchors[indices], counts)


def bound_errors(
    counts: np.ndarray, indices: np.ndarray, values: np.ndarray, anchors: np.ndarray
) -> np.ndarray:
    """Bounds how far `sum_products` are from those of the decoded rows: float64 [V].

    They are for a query of length 1.
    """
    lengths = np.sqrt(np.einsum("kd,kd->k", anchors, anchors, dtype=np.float64))
    added = _sum_entries(np.abs(values) * lengths[indices], counts)
    # Each product and each addition in float32 is off by half an _EPS of what has been added up, at
    # most, or by a _TINY in each dimension where it is nearly 0.
    return (counts + 1.0) * (_EPS * added + _TINY * np.sqrt(anchors.shape[1]))


def _sum_entries(entries: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sums numbers of the entries over each row: float64 [nnz], counts int [V] -> [V]."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(rows, entries, minlength=len(counts))
