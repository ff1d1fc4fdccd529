"""What no code of so many bits can do better on a Gaussian source: a yardstick for compression."""

import math
from typing import Any

import numpy as np

from jaxcompress.data.vectors.files import check_finite
from jaxcompress.errors import InputError

_CHUNK = 4096  # rows that are float64 at a time


def rate_distortion_bound(vectors: Any, bits_per_row: float) -> float:
    """Computes the least mean squared L2 of any code on a Gaussian source of the same covariance.

    No code of so many bits a row does better on average over rows drawn from that source, however
    many rows it takes at a time. Of all sources of a covariance the Gaussian one is the hardest:
    a table that is not Gaussian can be coded with less error, the more so where codebooks are
    fitted to few rows. Codebooks are not counted.

    Args:
        vectors: float [N, D]; any type that NumPy makes float64 of, in chunks. Their mean is taken
            to be known.
        bits_per_row: bits of a row's code, at least 0.

    Returns:
        Squared L2 a row, in the squared unit of the vectors.

    Raises:
        InputError: where the vectors are no finite matrix, or the bits are below 0.

    Reference:
        Reverse water-filling: Cover & Thomas, Elements of Information Theory, theorem 10.3.3.
    """
    rows = np.asarray(vectors)
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"vectors have shape {list(rows.shape)}; expected [rows, dimensions].")
    if not 0 <= bits_per_row < math.inf:
        raise InputError(f"bits_per_row is {bits_per_row}; it must be a number of at least 0.")
    check_finite(rows, "vectors")
    return _water_filling(np.linalg.eigvalsh(_covariance(rows)), bits_per_row)


def _covariance(rows: np.ndarray) -> np.ndarray:
    """[D, D] in float64, over N; the mean first, so that a large one costs no digits."""
    starts = range(0, len(rows), _CHUNK)
    mean = sum(rows[i : i + _CHUNK].sum(axis=0, dtype=np.float64) for i in starts) / len(rows)
    products = np.zeros((rows.shape[1], rows.shape[1]))
    for i in starts:
        centred = rows[i : i + _CHUNK].astype(np.float64) - mean
        products += centred.T @ centred
    return products / len(rows)


def _water_filling(variances: np.ndarray, bits: float) -> float:
    """Spends bits on independent Gaussians so that the sum of their errors is least.

    Each variance above a water level is coded down to it, at half a bit a halving; the others are
    not coded. With the n largest coded, the level is their geometric mean times 2^(-2 bits / n).
    """
    falling = np.sort(variances)[::-1]
    # What is smaller is the rounding error of `eigvalsh`.
    falling = falling[falling > falling[0] * len(falling) * np.finfo(np.float64).eps]
    if not len(falling):
        return 0.0
    logs = np.log2(falling)
    needed = (np.cumsum(logs) - np.arange(1, len(logs) + 1) * logs) / 2  # to lower all to the n-th
    count = int(np.searchsorted(needed, bits, side="right"))
    level = 2.0 ** (logs[:count].mean() - 2 * bits / count)
    return float(count * level + falling[count:].sum())
