"""Word vectors from the formats they come in: text, word2vec .bin, .npy, .safetensors.

Axis letters: N rows, D dimensions.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxcompress.data.paths import find_file
from jaxcompress.data.text_files import open_text
from jaxcompress.data.vectors.cache import duplicates_note, read_cached
from jaxcompress.data.vectors.checks import check_finite
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import number_rows, write_names

GET_GLOVE = "Fetch GloVe with: python -m jaxcompress.data.download glove.6B; or give another file."

_DTYPES = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32, "F64": np.float64}


class Vectors(NamedTuple):
    """A table of vectors with the names of its rows.

    Attributes:
        rows: float32 or float16 [N, D], finite, C-contiguous; perhaps a read-only memory map.
        words: the N names of the rows, all different; None: rows have numbers only.
        notes: lines for the user about what was changed in reading.
        source: the path that was read, or the name of what was made.
    """

    rows: np.ndarray
    words: list[str] | None
    notes: tuple[str, ...] = ()
    source: str = ""


def read_vectors(path: str, *, tensor: str | None = None, max_rows: int | None = None) -> Vectors:
    """Reads vectors, choosing the reader by the file's name.

    Args:
        path: GloVe, word2vec or fastText text (plain, .gz, or inside a .zip), word2vec .bin,
            .npy (with the names of its rows in a `.words.txt` beside it, if there is one), or
            .safetensors.
        tensor: the name of the matrix in a .safetensors file; None: the only one.
        max_rows: number of rows; those after it are not read. None: all.

    Raises:
        InputError: if there is no such file or it holds no vectors: with file, line or row, and
            what was expected.
    """
    file = find_file(path, GET_GLOVE)
    if max_rows is not None and max_rows < 1:
        raise InputError(f"data.max_rows is {max_rows}; it must be at least 1.")
    if tensor is not None and file.suffix != ".safetensors":
        raise InputError(f"{file}: data.tensor is {tensor!r}; it is for .safetensors files only.")
    if file.suffix not in (".npy", ".safetensors"):
        return Vectors(*read_cached(file, max_rows), source=str(file))
    array = _read_npy(file) if file.suffix == ".npy" else _read_safetensors(file, tensor)
    rows, cast_notes = _as_table(array[:max_rows] if array.ndim else array, file)
    check_finite(rows, str(file))
    words, rows, notes = _drop_duplicates(_words_beside(file, len(rows), max_rows), rows)
    return Vectors(rows, words, (*notes, *cast_notes), str(file))


def _read_npy(file: Path) -> np.ndarray:
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{file}: not a readable .npy file of numbers ({error}).") from None


def _read_safetensors(file: Path, tensor: str | None) -> np.ndarray:
    """Maps one matrix of the file.

    By hand, since the safetensors library copies a whole tensor, and tables are large.
    """
    header, data = read_header(file)
    tables = {k: v for k, v in header.items() if k != "__metadata__" and len(v["shape"]) == 2}
    if tensor is None and len(tables) == 1:
        tensor = next(iter(tables))
    if tensor not in tables:
        names = ", ".join(f"{k} {v['shape']}" for k, v in tables.items()) or "none"
        reason = "no data.tensor given" if tensor is None else f"no matrix named {tensor!r}"
        raise InputError(f"{file}: {reason}; matrices in it: {names}.")
    entry = tables[tensor]
    if entry["dtype"] not in _DTYPES:
        raise InputError(
            f"{file}: {tensor} is {entry['dtype']}; expected one of {', '.join(_DTYPES)}."
        )
    start, end = entry["data_offsets"]
    if data + end > os.path.getsize(file):
        raise InputError(f"{file}: cut short; {tensor} should end at byte {data + end}.")
    raw = np.memmap(file, np.uint8, "r", offset=data + start, shape=(end - start,))
    return raw.view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])


def read_header(path: str | os.PathLike) -> tuple[dict[str, Any], int]:
    """Reads the header of a .safetensors file: its length in 8 bytes, then JSON.

    Returns:
        What stands about each tensor, and about the file by the name "__metadata__"; and the byte
        at which the data start.

    Raises:
        InputError: if the file has no such header.
    """
    try:
        with open(path, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length < os.path.getsize(path):
                raise ValueError("the length of its header is invalid")
            return json.loads(stream.read(length)), 8 + length
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a .safetensors file, or cut short ({error}).") from None


def _as_table(array: np.ndarray, file: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Checks shape and type; float16 and float32 stay as they are, the others become float32.

    Returns:
        The table [N, D], and notes.
    """
    if array.dtype == np.dtype("V2"):  # how .npy stores bfloat16
        array = array.view(ml_dtypes.bfloat16)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{file}: shape is {list(array.shape)}; expected [rows, dimensions].")
    if array.dtype in (np.float16, np.float32):
        return np.ascontiguousarray(array), ()
    if array.dtype == ml_dtypes.bfloat16:
        return array.astype(np.float32), ()
    if array.dtype == np.float64:
        return array.astype(np.float32), ("float64 numbers were rounded to float32.",)
    raise InputError(f"{file}: numbers are {array.dtype}; expected float16, bfloat16 or float32.")


def _words_beside(file: Path, num_rows: int, max_rows: int | None) -> list[str] | None:
    """Reads the names of the rows of FILE.npy from FILE.words.txt; None if there is none."""
    beside = file.with_suffix(".words.txt")
    if not beside.exists():
        return None
    with open_text(beside) as stream:
        words = [line.rstrip(b"\n").decode("utf-8", "surrogateescape") for line in stream]
    if max_rows is not None:
        words = words[:max_rows]
    if len(words) != num_rows:
        raise InputError(
            f"{beside}: {len(words)} words; expected {num_rows}, one for each row of {file.name}."
        )
    return words


def _drop_duplicates(
    words: list[str] | None, rows: np.ndarray
) -> tuple[list[str] | None, np.ndarray, tuple[str, ...]]:
    """Keeps the first row of each name; returns names, rows and notes."""
    if words is None or len(set(words)) == len(words):
        return words, rows, ()
    first = number_rows(words)
    note = duplicates_note(len(words) - len(first))
    return list(first), rows[list(first.values())], (note,)


def write_rows(folder: Path, rows: np.ndarray, words: Sequence[str]) -> None:
    """Writes rows [N, D] and their N names, as `read_vectors` reads them.

    The files are FOLDER/embedding.npy and FOLDER/embedding.words.txt; the folder is made.
    """
    folder.mkdir(exist_ok=True)
    with atomic_write(folder / "embedding.npy") as partial, open(partial, "wb") as stream:
        np.save(stream, np.asarray(rows))
    with atomic_write(folder / "embedding.words.txt") as partial:
        write_names(partial, words)
