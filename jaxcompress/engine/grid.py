"""A value of a short grid, chosen by what a run of it gives."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def descend(grid: Sequence[Any], start: int, error: Callable[[Any], float]) -> Any:
    """Goes from a value of a grid to its neighbours as long as the error falls.

    >>> descend((1, 2, 3, 4, 5), 2, lambda x: (x - 4.4) ** 2)
    4

    Args:
        grid: the values, in order.
        start: where in it to begin.
        error: of a value, which is asked for more than once.
    """

    def at(i: int) -> float:
        return error(grid[i]) if 0 <= i < len(grid) else np.inf

    here = start
    while (best := min((here, here + 1, here - 1), key=at)) != here:
        here = best
    return grid[here]
