"""Numbers of rows: checked, and ranked by a score."""

from typing import Any

import numpy as np


def largest_ids(scores: np.ndarray, count: int) -> np.ndarray:
    """Ranks the `count` largest scores: int [count], the largest first, equal scores by their id.

    >>> largest_ids(np.array([0.1, 0.9, 0.5, 0.9]), 3)
    array([1, 3, 2])
    """
    if count <= 0:
        return np.zeros(0, np.int64)
    best = np.argpartition(-scores, count - 1)[:count]
    return best[np.lexsort((best, -scores[best]))]


def check_ids(ids: Any, num_rows: int) -> np.ndarray:
    """Checks that ids are numbers of rows: int of any shape -> int32 of the same shape.

    Raises:
        IndexError: if one is out of range.
    """
    ids = np.asarray(ids)
    if ids.size and not 0 <= ids.min() <= ids.max() < num_rows:
        raise IndexError(f"ids are from {ids.min()} to {ids.max()}; expected 0 to {num_rows - 1}.")
    return ids.astype(np.int32)
