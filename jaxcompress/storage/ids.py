"""The artefacts: what is left of a table after compression, and how it is read back.

This module needs NumPy only; jax is imported by the methods that use it.
"""

from typing import Any

import numpy as np


def largest_ids(scores: np.ndarray, count: int) -> np.ndarray:
    """Ids of the `count` largest scores, falling; ties by id."""
    if count <= 0:
        return np.zeros(0, np.int64)
    best = np.argpartition(-scores, count - 1)[:count]
    return best[np.lexsort((best, -scores[best]))]


def check_ids(ids: Any, num_rows: int) -> np.ndarray:
    """Ids as int32.

    Raises:
        IndexError: where one is out of range.
    """
    ids = np.asarray(ids)
    if ids.size and not 0 <= ids.min() <= ids.max() < num_rows:
        raise IndexError(f"ids are from {ids.min()} to {ids.max()}; expected 0 to {num_rows - 1}.")
    return ids.astype(np.int32)
