"""Files of codes: bit-packing, the .safetensors artefact, the references' text, word2vec's text.

NumPy only. Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxcompress.errors import InputError


def pack_names(words: Iterable[str]) -> np.ndarray:
    """Words as uint8, a line each."""
    text = "".join(f"{word}\n" for word in words)
    return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8)


def unpack_names(packed: np.ndarray) -> list[str]:
    """The inverse of `pack_words`."""
    return packed.tobytes().decode("utf-8", "surrogateescape").split("\n")[:-1]


def check_names(words: Sequence[str], num_rows: int) -> None:
    """Raises InputError where the words are not one string of one line for each row."""
    if len(words) != num_rows:
        raise InputError(f"{len(words)} words and {num_rows} rows; expected as many.")
    for word in words:
        if not isinstance(word, str):
            raise InputError(f"word {word!r} is a {type(word).__name__}; expected a string.")
        if "\n" in word:
            raise InputError(f"word {word!r} has an end of line; files hold a word a line.")


def number_rows(names: Iterable[str]) -> dict[str, int]:
    """Row numbers by name; of rows that are named alike, the first."""
    ids: dict[str, int] = {}
    for i, name in enumerate(names):
        ids.setdefault(name, i)
    return ids


def find_row(word: str | int, ids: Mapping[str, int] | None, num_rows: int) -> int:
    """The row number of a name, or a row number that is there.

    Raises:
        KeyError: where there is no such row.
    """
    if ids is not None and isinstance(word, str):
        if word not in ids:
            raise KeyError(f"no row is named {word!r}")
        return ids[word]
    if not str(word).isdigit() or not int(word) < num_rows:
        raise KeyError(f"no row {word!r}; rows are 0 to {num_rows - 1}")
    return int(word)


def read_words(file: Path) -> list[str]:
    """Reads a word a line; bytes that are not UTF-8 survive a round trip."""
    text = file.read_bytes().decode("utf-8", errors="surrogateescape")
    words = [word.removesuffix("\r") for word in text.split("\n")]
    return words[:-1] if words and not words[-1] else words


def write_words(file: Path, words: Sequence[str]) -> None:
    """The inverse of `read_words`."""
    with open(file, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        stream.writelines(word + "\n" for word in words)
