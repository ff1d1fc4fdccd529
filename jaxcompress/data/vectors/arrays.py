"""Tables that a user hands over: arrays, tensors of PyTorch, KeyedVectors of gensim, lists.

Neither PyTorch nor gensim is imported; what they make is known by its attributes.

Axis letters: N rows, D dimensions.
"""

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxcompress.data.vectors.checks import check_finite
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.errors import InputError
from jaxcompress.storage.names import check_names

_OTHERS = {  # by the kind of a type that numbers cannot have: its name, and what to do
    "c": ("complex numbers", ""),
    "M": ("dates", ""),
    "m": ("durations", ""),
    "S": ("bytes", ""),
    "U": ("strings", "; a file is read by jaxcompress.data.read_vectors(PATH)"),
}


class Given(NamedTuple):
    """A table that was handed over.

    Attributes:
        rows: [N, D]; float16 or float32, and finite, if `take_rows` took them.
        words: the N names that came with the rows; None: there were none.
    """

    rows: np.ndarray
    words: list[str] | None


def take_rows(vectors: Any, dim: int | None = None) -> Given:
    """Takes a matrix of finite numbers as float16 or float32, with the names that it brings.

    >>> take_rows([[1, 2], [3, 4]]).rows
    array([[1., 2.],
           [3., 4.]], dtype=float32)

    The arguments are those of `take_matrix`.

    Raises:
        InputError: if they are no such matrix.
    """
    rows, words = take_matrix(vectors, dim)
    if rows.dtype not in (np.float16, np.float32):
        with np.errstate(over="ignore"):  # a number that float32 cannot hold becomes infinite
            rows = rows.astype(np.float32)
    check_finite(rows, "vectors")
    return Given(rows, words)


def take_matrix(vectors: Any, dim: int | None = None) -> Given:
    """Takes a matrix of numbers in the type that it has, with the names of its rows if it has any.

    Args:
        vectors: float or int [N, D]: NumPy, or anything `np.asarray` takes; a tensor of PyTorch, on
            any device; what `read_vectors` gives; a compressed table; or KeyedVectors of gensim.
        dim: D, of any number of rows; None: any D, of one row or more.

    Raises:
        InputError: if they are no matrix of numbers, or not of such a shape.
    """
    words = None
    if isinstance(vectors, Vectors):
        vectors, words = vectors.rows, vectors.words
    elif hasattr(vectors, "vectors") and hasattr(vectors, "index_to_key"):
        vectors, words = vectors.vectors, [str(key) for key in vectors.index_to_key]
    elif hasattr(vectors, "decode") and hasattr(vectors, "words"):
        vectors, words = vectors.decode(), vectors.words and list(vectors.words)
    rows = take_numbers(vectors, "vectors")
    if rows.ndim != 2 or (rows.shape[1] != dim if dim else 0 in rows.shape):
        made = "" if dim is None else f"; the codebooks make rows of {dim} dimensions"
        raise InputError(
            f"vectors have shape {list(rows.shape)}{made}; expected [rows, {dim or 'dimensions'}]."
        )
    return Given(rows, words)


def take_words(words: Any, num_rows: int) -> list[str] | None:
    """Takes the names of rows: a list of them, or of anything that gives them one by one.

    Raises:
        InputError: if they are no names, one for each row.
    """
    if words is None:
        return None
    try:
        words = words if isinstance(words, (str, bytes)) else list(words)
    except TypeError:
        kind = type(words).__name__
        raise InputError(
            f"words are an object of type {kind}; expected a list of strings."
        ) from None
    check_names(words, num_rows)
    return words


def take_numbers(values: Any, source: str, form: str = "matrix") -> np.ndarray:
    """Takes an array of numbers of any shape and any type of floats, integers or booleans.

    Args:
        values: what was handed over.
        source: what an error calls it; a noun in the plural.
        form: what an error says is expected of it.

    Raises:
        InputError: if it is anything else.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(
            f"{source} are a masked array; fill it (array.filled(0)), or leave masked rows out."
        )
    try:
        array = np.asarray(_to_host(values))
    except (TypeError, ValueError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if "inhomogeneous" in reason:
            reason = "rows differ in length"
        raise InputError(f"{source} are no {form} of numbers ({reason}).") from None
    kind = array.dtype.kind
    if kind in "fiub" or array.dtype == ml_dtypes.bfloat16:
        return array
    found, hint = _OTHERS.get(kind, (str(array.dtype), ""))
    if kind == "O":
        odd = array.reshape(-1)[0] if array.size else array
        found = f"an object of type {type(odd).__name__}"
    raise InputError(f"{source} are no {form} of numbers, but {found}; expected floats{hint}.")


def _to_host(values: Any) -> Any:
    """Takes a tensor of PyTorch from its device and its gradient; leaves all else as it is."""
    if not (hasattr(values, "detach") and hasattr(values, "cpu")):
        return values
    values = values.detach().cpu()
    return values.float() if str(values.dtype) == "torch.bfloat16" else values  # NumPy lacks it
