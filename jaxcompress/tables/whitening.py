"""PCA whitening: a given table is read along its principal axes, each scaled to a variance near 1.

A model's first layer could learn as much, and nothing is lost; but an optimiser's steps are then of
one size in all directions, and what lies in the small ones is learned too. It matters for codes
most: these keep the large directions and shrink the small ones.

This is a departure from Shu & Nakayama, ICLR 2018, arXiv 1711.01068, section 5.2, who read the
vectors as they are.

Axis letters: V rows, D dimensions, M codebooks, K codewords.
"""

from typing import NamedTuple

import numpy as np

from jaxcompress.compressed.table import CompressedTable

_SAMPLE = 10_000  # rows, at most, that the axes are computed from
_CHUNK = 10_000  # rows whitened at a time
_RIDGE = 0.1  # times the mean variance, added to each: noise in the least axes is not blown up


class Whitening(NamedTuple):
    """A linear map to principal axes: `(row - mean) @ matrix` has variances near 1.

    Attributes:
        mean: float32 [D].
        matrix: float32 [D, D].
        inverse: float32 [D, D], the inverse of `matrix`.
    """

    mean: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray


def fit_whitening(table: np.ndarray | CompressedTable) -> Whitening:
    """Computes the principal axes of a table, from evenly spaced rows.

    Args:
        table: float [V, D], or such a table compressed.

    >>> table = np.array([[0, 0], [0, 2], [8, 0], [8, 2]], np.float32)
    >>> whitening = fit_whitening(table)
    >>> whitened = (table - whitening.mean) @ whitening.matrix
    >>> bool(np.allclose(whitened @ whitening.inverse + whitening.mean, table, atol=1e-5))
    True
    >>> [round(float(v), 2) for v in whitened.var(axis=0)]  # 1 and 16 before
    [0.54, 0.95]
    """
    sample = np.arange(0, len(table), -(-len(table) // _SAMPLE))
    rows = table.decode(sample) if isinstance(table, CompressedTable) else table[sample]
    rows = rows.astype(np.float32)
    mean = rows.mean(axis=0)
    variances, axes = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    variances = np.maximum(variances, 0)
    rounding = 1e-6 * np.square(mean).mean() + 1e-30  # for a table whose rows are all alike
    deviations = np.sqrt(variances + _RIDGE * variances.mean() + rounding)
    return Whitening(mean, axes / deviations, deviations[:, None] * axes.T)


def no_whitening(dim: int) -> Whitening:
    """Makes the map of D dimensions that changes nothing."""
    identity = np.eye(dim, dtype=np.float32)
    return Whitening(np.zeros(dim, np.float32), identity, identity)


def whiten_rows(rows: np.ndarray, whitening: Whitening) -> np.ndarray:
    """Whitens rows float [V, D], a chunk at a time; the result has the type of `rows`."""
    whitened = np.empty(rows.shape, rows.dtype)
    for start in range(0, len(rows), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        whitened[chunk] = (rows[chunk] - whitening.mean) @ whitening.matrix
    return whitened


def whiten_codebooks(codebooks: np.ndarray, whitening: Whitening) -> np.ndarray:
    """Whitens the sums of codebooks [M, K, D]; the first codebook takes the mean off."""
    whitened = codebooks @ whitening.matrix
    whitened[0] -= whitening.mean @ whitening.matrix
    return whitened


def unwhiten_codebooks(whitened: np.ndarray, whitening: Whitening) -> np.ndarray:
    """Makes the codebooks [M, K, D] that `whiten_codebooks` would turn into `whitened`."""
    codebooks = whitened @ whitening.inverse
    codebooks[0] += whitening.mean
    return codebooks
