"""Similar rows of a table, without keeping the decoded table. NumPy only.

A kind of table computes the products of all rows with a query from what it keeps. Such a product
differs from the one with the row as it is decoded, in float32; how much at most is known of each
row. So the products tell which rows may be among the nearest, and these alone are decoded.

Axis letters: N rows, D dimensions.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from jaxcompress.data.vectors.arrays import take_numbers
from jaxcompress.errors import InputError
from jaxcompress.storage.ids import largest_ids

_CHUNK = 4096  # rows that are decoded at a time


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Scales rows to length 1, however long they are: float [..., D] -> the same shape and type.

    >>> unit_rows(np.array([[3.0, 4.0], [3e-200, 4e-200], [0.0, 0.0]]))  # zeros stay as they are
    array([[0.6, 0.8],
           [0.6, 0.8],
           [0. , 0. ]])
    """
    largest = np.abs(rows).max(axis=-1, keepdims=True, initial=0)
    scaled = rows / np.where(largest > 0, largest, 1)  # so that squares neither overflow nor vanish
    return scaled / np.maximum(np.linalg.norm(scaled, axis=-1, keepdims=True), 1)


def measure_rows(chunks: Iterable[np.ndarray]) -> np.ndarray:
    """Measures the lengths of rows, float32 [some, D] each time: float64 [N]."""
    # The square of any number of float32 is a number of float64.
    squares = [np.einsum("nd,nd->n", rows, rows, dtype=np.float64) for rows in chunks]
    return np.sqrt(np.concatenate([np.zeros(0), *squares]))


def multiply_rows(chunks: Iterable[np.ndarray], query: np.ndarray) -> np.ndarray:
    """Multiplies rows, float32 [some, D] each time, with a query float64 [D]: float64 [N]."""
    products = [np.einsum("nd,d->n", rows, query, dtype=np.float64) for rows in chunks]
    return np.concatenate([np.zeros(0), *products])


def check_query(query: Any, dim: int) -> np.ndarray:
    """Checks a vector that rows are compared with, and scales it: float64 [D], of length 1 or 0.

    Raises:
        InputError: if it is no vector of `dim` finite numbers.
    """
    query = take_numbers(query, "the vector's values", "list")
    if query.shape != (dim,):
        raise InputError(f"the vector has shape {list(query.shape)}; expected [{dim}].")
    query = query.astype(np.float64)
    if not np.isfinite(query).all():
        raise InputError("the vector holds NaN or infinity; expected finite numbers.")
    return unit_rows(query)


def find_nearest(
    query: np.ndarray,
    products: np.ndarray,
    errors: np.ndarray,
    norms: np.ndarray,
    decode: Callable[[np.ndarray], np.ndarray],
    count: int,
    left_out: Collection[int] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the rows of largest cosine with a query; that of a row of zeros is 0.

    Args:
        query: float64 [D], as `check_query` gives it.
        products: float64 [N], of all rows with the query.
        errors: float64 [N], how far each is from that of the decoded row, at most.
        norms: float64 [N], the length of each row as it is decoded.
        decode: int ids [B] -> float32 [B, D].
        count: how many rows to find.
        left_out: ids of rows that are not to be found.

    Returns:
        Their ids and their cosines, the largest first.
    """
    count = min(count, len(norms) - len(left_out))
    if count <= 0:
        return np.zeros(0, np.int64), np.zeros(0)
    cosines, errors = _over(products, norms), _over(errors, norms)
    cosines[list(left_out)] = -np.inf
    surely = np.partition(cosines - errors, -count)[-count]  # so near are `count` rows
    ids = np.flatnonzero(cosines + errors >= surely)
    chunks = (decode(ids[i : i + _CHUNK]) for i in range(0, len(ids), _CHUNK))
    cosines = np.clip(_over(multiply_rows(chunks, query), norms[ids]), -1, 1)
    best = largest_ids(cosines, count)
    return ids[best], cosines[best]


def _over(numbers: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Divides numbers [N] by norms [N]; 0 for a norm of 0."""
    return np.divide(numbers, norms, out=np.zeros(len(norms)), where=norms > 0)
