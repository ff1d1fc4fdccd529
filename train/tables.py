"""Tables of words from files: vectors, or codes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import jaxcompress
from jaxcompress import codes_files, sparse_anchors
from jaxcompress.codes_files import replacing
from jaxcompress.compressed import Codes
from jaxcompress.data.paths import find_either
from jaxcompress.data.stdlib_text import SOURCE
from jaxcompress.data.stdlib_vectors import stdlib_vectors
from jaxcompress.data.vectors import GET_GLOVE, Vectors, read_header, read_vectors, write_words
from jaxcompress.errors import InputError


def read_table(path: str, tensor: str | None = None) -> Vectors | Codes:
    """Reads "stdlib", a workdir or file of codes, or whatever `read_vectors` reads.

    Args:
        path: as configs name it.
        tensor: which one, in a .safetensors file of several matrices.

    Raises:
        InputError: with file, line or row, and what was expected.
    """
    if path == SOURCE:
        return stdlib_vectors()
    place = find_either(path, GET_GLOVE)
    is_tensors = place.suffix == ".safetensors"
    if not (place.is_dir() or place.suffix == ".codes" or (is_tensors and _is_artefact(place))):
        return read_vectors(str(place), tensor=tensor if is_tensors else None)
    table = jaxcompress.load(place)
    if not isinstance(table, Codes):
        raise InputError(f"{place} holds anchors; expected vectors or codes.")
    return table


def _is_artefact(file: Path) -> bool:
    about = read_header(file)[0].get("__metadata__", {})
    return about.get("format") in (codes_files.FORMAT, sparse_anchors.FORMAT)


def write_rows(folder: Path, rows: np.ndarray, words: Sequence[str]) -> None:
    """Writes `FOLDER/embedding.npy` [V, D] and its `embedding.words.txt`."""
    folder.mkdir(exist_ok=True)
    with replacing(folder / "embedding.npy") as partial, open(partial, "wb") as stream:
        np.save(stream, np.asarray(rows))
    with replacing(folder / "embedding.words.txt") as partial:
        write_words(partial, words)
