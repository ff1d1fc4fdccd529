"""Similar rows of a table of codes, without keeping the decoded table. NumPy only.

The product of a row with a query is a sum of M numbers out of a table [M, K] of products of the
query with codewords (Jegou, Douze & Schmid 2011, section III.A). Where codewords cancel, such a sum
differs from the product with the row as it is decoded, in float32; how much at most is known of
each row. So the sums tell which rows may be among the nearest, and these alone are decoded.

Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.data.vectors.arrays import take_numbers
from jaxcompress.errors import InputError
from jaxcompress.storage.ids import largest_ids

_CHUNK = 4096  # rows that are compared at a time
_EPS = float(np.finfo(np.float32).eps)


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


class Lengths(NamedTuple):
    """What is computed once of all rows.

    Attributes:
        norms: float64 [N], the length of each row as it is decoded.
        errors: float64 [N], how far its cosine by a sum may be from that of the decoded row.
    """

    norms: np.ndarray
    errors: np.ndarray


def measure_rows(codes: np.ndarray, codebooks: np.ndarray, chunks: Iterable[np.ndarray]) -> Lengths:
    """Measures all rows of a table.

    Args:
        codes: int [N, M].
        codebooks: float32 [M, K, D].
        chunks: the decoded rows, float32 [some, D] each, N altogether.
    """
    # The square of any number of float32 is a number of float64.
    squares = [np.einsum("nd,nd->n", rows, rows, dtype=np.float64) for rows in chunks]
    norms = np.sqrt(np.concatenate([np.zeros(0), *squares]))
    lengths = np.sqrt(np.einsum("mkd,mkd->mk", codebooks, codebooks, dtype=np.float64))
    # Each of M additions in float32 is off by half an _EPS of what has been added up, at most.
    errors = _over(_EPS * len(codebooks) * _sum_entries(lengths, codes), norms)
    return Lengths(norms, errors)


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
    codes: np.ndarray,
    codebooks: np.ndarray,
    lengths: Lengths,
    decode: Callable[[np.ndarray], np.ndarray],
    count: int,
    left_out: Collection[int] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the rows of largest cosine with a query; that of a row of zeros is 0.

    Args:
        query: float64 [D], as `check_query` gives it.
        codes: int [N, M].
        codebooks: float32 [M, K, D].
        lengths: those of all rows.
        decode: int ids [B] -> float32 [B, D].
        count: how many rows to find.
        left_out: ids of rows that are not to be found.

    Returns:
        Their ids and their cosines, the largest first.
    """
    count = min(count, len(codes) - len(left_out))
    if count <= 0:
        return np.zeros(0, np.int64), np.zeros(0)
    products = np.einsum("mkd,d->mk", codebooks, query, dtype=np.float64)
    sums = _over(_sum_entries(products, codes), lengths.norms)
    sums[list(left_out)] = -np.inf
    surely = np.partition(sums - lengths.errors, -count)[-count]  # so near are `count` rows
    ids = np.flatnonzero(sums + lengths.errors >= surely)
    parts = (ids[i : i + _CHUNK] for i in range(0, len(ids), _CHUNK))
    chunks = [np.einsum("nd,d->n", decode(part), query, dtype=np.float64) for part in parts]
    cosines = np.clip(_over(np.concatenate(chunks), lengths.norms[ids]), -1, 1)
    best = largest_ids(cosines, count)
    return ids[best], cosines[best]


def _sum_entries(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sums an entry for each code: table float64 [M, K], codes int [N, M] -> [N]."""
    sums = np.zeros(len(codes))
    for m in range(len(table)):
        sums += np.take(table[m], codes[:, m])
    return sums


def _over(numbers: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Divides numbers [N] by norms [N]; 0 for a norm of 0."""
    return np.divide(numbers, norms, out=np.zeros(len(norms)), where=norms > 0)
