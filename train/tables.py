"""Tables of words from files: vectors, or codes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

import jaxcompress
from jaxcompress.codes_files import replacing
from jaxcompress.compressed import Codes
from jaxcompress.data.stdlib_text import SOURCE
from jaxcompress.data.stdlib_vectors import stdlib_vectors
from jaxcompress.data.vectors import Vectors, read_vectors, write_words
from jaxcompress.errors import InputError


def read_table(path: str) -> Vectors | Codes:
    """Reads "stdlib", a workdir or file of codes, or whatever `read_vectors` reads.

    Raises:
        InputError: with file, line or row, and what was expected.
    """
    if path == SOURCE:
        return stdlib_vectors()
    place = Path(path).expanduser()
    if place.is_dir() or place.suffix in (".codes", ".safetensors"):
        try:
            return jaxcompress.load(place)
        except InputError:
            if place.suffix != ".safetensors":
                raise
    return read_vectors(path)


def write_rows(folder: Path, rows: np.ndarray, words: Sequence[str]) -> None:
    """Writes `FOLDER/embedding.npy` [V, D] and its `embedding.words.txt`."""
    folder.mkdir(exist_ok=True)
    with replacing(folder / "embedding.npy") as partial, open(partial, "wb") as stream:
        np.save(stream, np.asarray(rows))
    with replacing(folder / "embedding.words.txt") as partial:
        write_words(partial, words)
