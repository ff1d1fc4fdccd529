"""Rows that cannot be trained on: NaN, infinity, and bytes that are no numbers.

Axis letters: N rows, D dimensions.
"""

import numpy as np

from jaxcompress.errors import InputError

_CHUNK = 8192  # rows that are checked at a time
_LONGEST = 1e15  # a length that no vector has; bytes that are no numbers give lengths far above it


def is_finite(row: np.ndarray) -> bool:
    """Tells whether all numbers of a row [D] of float32 are finite; quick if they are."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.dot(row, row)) or np.isfinite(row).all())


def binary_fault(row: np.ndarray) -> str | None:
    """Says why bytes that were taken for a row [D] of float32 are none; None if they may be one.

    >>> binary_fault(np.array([1, 2], np.float32))
    >>> binary_fault(np.array([1, np.nan], np.float32))
    'NaN or infinity; expected 2 finite numbers'
    >>> binary_fault(np.frombuffer(b"this is text", "<f4"))
    'a vector of length 8.1e+31; expected a length of at most 1e+15'
    """
    if not is_finite(row):
        return f"NaN or infinity; expected {len(row)} finite numbers"
    length = np.linalg.norm(row.astype(np.float64))
    if length > _LONGEST:
        return f"a vector of length {length:.2g}; expected a length of at most {_LONGEST:g}"
    return None


def check_finite(rows: np.ndarray, source: str, part: slice = slice(None)) -> None:
    """Checks that all numbers of a table [N, D], or of a run of its rows, are finite.

    Raises:
        InputError: if one is not; it begins with `source` and names the first such row.
    """
    first, end, _ = part.indices(len(rows))
    for start in range(first, end, _CHUNK):
        finite = np.isfinite(rows[start : min(start + _CHUNK, end)]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise InputError(
                f"{source}: row {row} (from 0) holds NaN or infinity; expected finite numbers."
            )
