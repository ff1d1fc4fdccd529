"""Word vectors from the formats they come in: text, binary records, and files of arrays.

Axis letters: N rows, D dimensions.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np

from jaxcompress.data.compression import without_compression
from jaxcompress.data.paths import find_either, is_file
from jaxcompress.data.text_files import open_text
from jaxcompress.data.vectors.cache import RECORDS, duplicates_note, read_cached
from jaxcompress.data.vectors.checks import check_finite
from jaxcompress.data.vectors.formats import find_format
from jaxcompress.data.vectors.matrices import read_npy, read_npz
from jaxcompress.data.vectors.shards import find_vectors
from jaxcompress.data.vectors.tensors import read_safetensors
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import number_rows, write_names

GET_GLOVE = "Fetch GloVe with: jaxcompress download glove.6B; or give another file."


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


def read_vectors(
    path: str,
    *,
    tensor: str | None = None,
    max_rows: int | None = None,
    own_rows: Callable[[int], slice] | None = None,
) -> Vectors:
    """Reads vectors in whatever format they are, plain or compressed.

    Args:
        path: GloVe, word2vec or fastText text, word2vec .bin, fastText .bin, .npy or .npz (with the
            names of its rows in a `.words.txt` beside it, if there is one), or .safetensors; plain,
            .gz, .bz2, .xz, or inside a .zip. A model in shards is named by its
            `.safetensors.index.json`, or by its folder; a `tokenizer.json` beside it names the rows
            of its table.
        tensor: the name of the matrix in a .safetensors or .npz file; None: the only one, or, of a
            model's, the only one whose name and shape are those of a table of tokens, which a note
            says.
        max_rows: number of rows; those after it are not read. None: all.
        own_rows: number of rows -> those that this process works on. Of a file that is mapped
            (.npy and .safetensors of float16 or float32) no other ones are read. None: all.

    Raises:
        InputError: if there is no such file or it holds no vectors: with file, line or row, and
            what was expected.
    """
    file, tensor, own_words, found = find_vectors(find_either(path, GET_GLOVE, "file"), tensor)
    if max_rows is not None and max_rows < 1:
        raise InputError(f"data.max_rows is {max_rows}; it must be at least 1.")
    form = find_format(file)
    if tensor is not None and form not in ("safetensors", "npz"):
        raise InputError(
            f"{file}: data.tensor is {tensor!r}; it is for .safetensors and .npz files only."
        )
    if form in RECORDS:
        return Vectors(*read_cached(file, form, max_rows), source=str(file))
    if form == "npy":
        array = read_npy(file)
    else:
        array = (read_npz if form == "npz" else read_safetensors)(file, tensor)
    rows, cast_notes = _as_table(array[:max_rows] if array.ndim else array, file)
    check_finite(rows, str(file), slice(None) if own_rows is None else own_rows(len(rows)))
    if own_words is None:
        own_words = _words_beside(file, len(rows), max_rows)
    words, rows, notes = _drop_duplicates(own_words and own_words[:max_rows], rows)
    return Vectors(rows, words, (*found, *notes, *cast_notes), str(file))


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
        with np.errstate(over="ignore"):  # what is too large is found by `check_finite`
            return array.astype(np.float32), ("float64 numbers were rounded to float32.",)
    raise InputError(f"{file}: numbers are {array.dtype}; expected float16, bfloat16 or float32.")


def _words_beside(file: Path, num_rows: int, max_rows: int | None) -> list[str] | None:
    """Reads the names of the rows of FILE.npy from FILE.words.txt; None if there is none."""
    beside = file.with_name(f"{Path(without_compression(file.name)).stem}.words.txt")
    if not is_file(beside):
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
