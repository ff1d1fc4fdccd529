"""Numbers of rows: checked, and ranked by a score."""

import reprlib
from typing import Any

import numpy as np

from jaxcompress.errors import InputError

_OTHERS = {  # by the kind of a type that ids cannot have: its name, and what to do
    "b": ("booleans", "; np.flatnonzero(mask) gives those of a mask"),
    "U": ("strings", "; id_of(word) gives that of a word"),
}


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

    >>> check_ids([[0, 2], [1, 1]], 3).shape
    (2, 2)

    Raises:
        InputError: if they are no integers; a mask, numbers with a fraction and words are none.
        IndexError: if one is out of range.
    """
    if isinstance(ids, np.ma.MaskedArray):
        raise InputError("ids are a masked array; expected integers, as ids.compressed() gives.")
    try:
        array = np.asarray(ids)
    except ValueError:  # a list of lists that differ in length
        array = np.empty((), object)
    if not array.size and array.dtype.kind == "f":  # what NumPy makes of an empty list
        array = array.astype(np.int32)
    if array.dtype.kind == "O":
        raise InputError(f"ids are {reprlib.repr(ids)}; expected integers in an array or a list.")
    check_id_type(array.dtype)
    if array.size and not 0 <= array.min() <= array.max() < num_rows:
        there = f"0 to {num_rows - 1}" if num_rows else "none, since there are no rows"
        raise IndexError(f"ids are from {array.min()} to {array.max()}; expected {there}.")
    return array.astype(np.int32)


def check_id_type(dtype: np.dtype) -> None:
    """Checks that numbers of rows, wherever they are, have a type of integers.

    Raises:
        InputError: if they do not.
    """
    if dtype.kind not in "iu":
        found, hint = _OTHERS.get(dtype.kind, (dtype.name, ""))
        raise InputError(f"ids are {found}; expected integers{hint}.")


def check_count(count: Any) -> int:
    """Checks how many rows are asked for.

    Raises:
        InputError: if it is no whole number of at least 0.
    """
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
        raise InputError(f"count is {count!r}; expected a whole number of at least 0.")
    return int(count)
