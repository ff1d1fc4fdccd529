"""The least error that any code of so many bits can reach on a Gaussian source.

A yardstick for compression: Cover & Thomas, Elements of Information Theory, theorem 10.3.3.

Axis letters: N rows, D dimensions.
"""

import math
from typing import Any

import numpy as np

from jaxcompress.data.vectors.arrays import take_matrix
from jaxcompress.data.vectors.checks import check_finite
from jaxcompress.errors import InputError

_CHUNK = 4096  # rows that are float64 at a time


def rate_distortion_bound(vectors: Any, bits_per_row: float) -> float:
    """Computes the least mean squared L2 of any code on a Gaussian source of the same covariance.

    No code of so many bits per row has a smaller mean error over rows drawn from that source, even
    if it codes many rows together. Of all sources with one covariance the Gaussian one is the
    hardest: a table that is not Gaussian can be coded with less error, above all if codebooks are
    fitted to few rows. The bits of codebooks are not counted.

    >>> rows = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])  # variances 4 and 1
    >>> [round(rate_distortion_bound(rows, bits), 6) for bits in (0, 1, 2)]
    [5.0, 2.0, 1.0]

    Args:
        vectors: float [N, D], as `compress` takes them. Their mean is taken as known.
        bits_per_row: bits of the code of one row, at least 0.

    Returns:
        Mean over rows of the squared L2 distance, in the squared unit of the vectors.

    Raises:
        InputError: if the vectors are no finite matrix, or the bits are below 0.

    Reference:
        Reverse water-filling: Cover & Thomas, Elements of Information Theory, theorem 10.3.3.
    """
    rows = take_matrix(vectors).rows
    if not 0 <= bits_per_row < math.inf:
        raise InputError(f"bits_per_row is {bits_per_row}; it must be a number of at least 0.")
    check_finite(rows, "vectors")
    return water_filling(np.linalg.eigvalsh(covariance(rows)), bits_per_row)


def covariance(rows: np.ndarray) -> np.ndarray:
    """Computes the covariance, float64 [D, D], over N; mean first, so that it costs no digits."""
    starts = range(0, len(rows), _CHUNK)
    sums = [rows[i : i + _CHUNK].sum(axis=0, dtype=np.float64) for i in starts]
    mean = sum(sums[1:], sums[0]) / len(rows)
    products = np.zeros((rows.shape[1], rows.shape[1]))
    for i in starts:
        centred = rows[i : i + _CHUNK].astype(np.float64) - mean
        products += centred.T @ centred
    return products / len(rows)


def water_filling(variances: np.ndarray, bits: float) -> float:
    """Spends bits on independent Gaussians so that the sum of their errors is least (10.3.3).

    The error of variance v is min(v, L), at a cost of max(0, log2(v / L) / 2) bits; the water level
    L is that at which the costs add up to `bits`.
    """
    variances = _above_rounding(variances)
    return float(np.minimum(variances, water_level(variances, bits)).sum())


def water_level(variances: np.ndarray, bits: float) -> float:
    """Finds L; 0 if no variance is above 0.

    If the n largest variances are above it, L is their geometric mean times 2^(-2 bits / n).
    """
    falling = np.sort(_above_rounding(variances))[::-1]
    if not len(falling):
        return 0.0
    logs = np.log2(falling)
    # Bits that lower the n largest variances to the n-th, for each n.
    needed = (np.cumsum(logs) - np.arange(1, len(logs) + 1) * logs) / 2
    count = int(np.searchsorted(needed, bits, side="right"))
    return float(2.0 ** (logs[:count].mean() - 2 * bits / count))


def _above_rounding(variances: np.ndarray) -> np.ndarray:
    """Leaves out variances that are rounding errors of `eigvalsh`."""
    least = variances.max(initial=0.0) * len(variances) * np.finfo(np.float64).eps
    return variances[variances > least]
