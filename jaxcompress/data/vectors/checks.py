"""Rows that cannot be trained on: NaN, infinity, and lengths whose squares float32 cannot hold.

Axis letters: N rows, D dimensions.
"""

import numpy as np

from jaxcompress.errors import InputError

_CHUNK = 8192  # rows that are checked at a time
_LARGEST = 1e15  # length of a row; bytes that are no numbers give lengths far above it


def row_fault(row: np.ndarray) -> str | None:
    """Says what is wrong with a row [D] of float32; None if nothing is.

    >>> row_fault(np.array([1, 2], np.float32))
    >>> row_fault(np.array([1, np.nan], np.float32))
    'NaN or infinity; expected 2 finite numbers'
    """
    with np.errstate(over="ignore"):
        if np.dot(row, row) <= _LARGEST**2:
            return None
    if not np.isfinite(row).all():
        return f"NaN or infinity; expected {len(row)} finite numbers"
    length = np.linalg.norm(row.astype(np.float64))
    return f"a vector of length {length:.2g}; expected a length of at most {_LARGEST:g}"


def check_finite(rows: np.ndarray, source: str) -> None:
    """Checks that all numbers of a table [N, D] are finite, and no row is absurdly long.

    Raises:
        InputError: if one is; it begins with `source` and names the first such row.
    """
    for start in range(0, len(rows), _CHUNK):
        chunk = np.asarray(rows[start : start + _CHUNK], np.float32)
        with np.errstate(over="ignore"):
            is_fine = np.einsum("nd,nd->n", chunk, chunk) <= _LARGEST**2
        if not is_fine.all():
            row = start + int(np.argmin(is_fine))
            raise InputError(f"{source}: row {row} (from 0) holds {row_fault(chunk[row - start])}.")
