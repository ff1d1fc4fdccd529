"""fastText's own binary models (.bin), whose rows are words, and n-grams of characters by a hash.

The vector of a word is the mean of its own row and those of the n-grams in it (Bojanowski et al.,
"Enriching Word Vectors with Subword Information", arXiv:1607.04606), as fastText writes it to a
.vec file. The n-grams themselves are left, and so are the output layer and the labels.

Axis letters: D dimensions, B rows of n-grams.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from jaxcompress.data.paths import is_plain
from jaxcompress.data.vectors.checks import binary_fault
from jaxcompress.data.vectors.window import Window
from jaxcompress.errors import InputError

MAGIC = struct.pack("<i", 793712314)  # what the file of a model begins with

_VERSIONS = (11, 12)
_SETTINGS = struct.Struct("<12id")
_COUNTS = struct.Struct("<3i2q")
_SUPERVISED = 3
_FNV_START, _FNV_PRIME = 2166136261, 16777619
_END = b"</s>"  # the word for the end of a line; it has no n-grams
_LONGEST = 1 << 16  # bytes of a word


class _Model(NamedTuple):
    """What stands before the rows.

    Attributes:
        words: by falling frequency.
        dim: D.
        min_chars: characters of the shortest n-grams.
        max_chars: characters of the longest n-grams.
        num_buckets: B; 0: words have no n-grams.
    """

    words: list[bytes]
    dim: int
    min_chars: int
    max_chars: int
    num_buckets: int


def fasttext_records(
    stream: BinaryIO, path: Path, note: Callable[[str], None]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (word, float32 [D]) of each word of a model.

    Args:
        stream: the file from its first byte on.
        path: what an error names; a plain file is mapped, any other one is read into memory.
        note: takes a line for the user about what was read and what was left.

    Raises:
        InputError: if the model is quantised, cut short, or of another version.
    """
    window = Window(stream)
    try:
        model = _read_model(window, path)
        num_rows, dim = struct.unpack("<2q", window.take(16))
    except struct.error:
        raise InputError(f"{path}: a fastText model that is cut short; fetch it again.") from None
    if dim != model.dim or num_rows < len(model.words) + model.num_buckets:
        raise InputError(
            f"{path}: a fastText model with {num_rows} rows of {dim} numbers, where it says "
            f"{len(model.words)} words, {model.num_buckets} n-grams and {model.dim} dimensions."
        )
    matrix = _read_matrix(window, path, (len(model.words) + model.num_buckets, dim))
    note(_describe(model))
    for number, word in enumerate(model.words):
        row = matrix[[number, *_rows_of_ngrams(word, model)]].mean(axis=0, dtype=np.float32)
        name = word.decode("utf-8", errors="surrogateescape")
        if fault := binary_fault(row):
            raise InputError(f"{path}: row {number} (from 0), {name[:40]!r}, holds {fault}.")
        yield name, row


def _read_model(window: Window, path: Path) -> _Model:
    """Reads settings and words.

    Raises:
        InputError: if the model is quantised or of another version.
        struct.error: if it is cut short.
    """
    _, version = struct.unpack("<2i", window.take(8))
    if version not in _VERSIONS:
        raise InputError(f"{path}: a fastText model of version {version}; expected 11 or 12.")
    dim, _, _, _, _, _, _, kind, num_buckets, min_chars, max_chars, _, _ = _SETTINGS.unpack(
        window.take(_SETTINGS.size)
    )
    num_entries, num_words, _, _, num_pruned = _COUNTS.unpack(window.take(_COUNTS.size))
    words = [_read_word(window) for _ in range(num_entries)][:num_words]  # labels follow words
    window.take(8 * max(num_pruned, 0))
    if struct.unpack("<?", window.take(1))[0]:
        raise InputError(
            f"{path}: a quantised fastText model (.ftz), whose rows were rounded to a few bytes; "
            "expected the .bin or the .vec of the same model."
        )
    has_ngrams = max_chars > 0 and not (version == 11 and kind == _SUPERVISED)
    return _Model(words, dim, min_chars, max_chars, num_buckets if has_ngrams else 0)


def _read_word(window: Window) -> bytes:
    """Reads an entry of the dictionary: a word and a zero, its count in 8 bytes, its type in 1."""
    window.reserve(_LONGEST)
    end = window.bytes.find(b"\0", window.start, window.start + _LONGEST)
    word = window.bytes[window.start : end]
    if end < 0 or end + 10 > len(window.bytes):
        raise struct.error("no end of a word")
    window.start = end + 10
    return word


def _read_matrix(window: Window, path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Reads the first rows of the input matrix, those of words and then those of n-grams."""
    if is_plain(path):
        offset = window.position
        is_whole = path.stat().st_size >= offset + 4 * shape[0] * shape[1]
        matrix = np.memmap(path, "<f4", "r", offset, shape) if is_whole else None
    else:
        matrix = window.take_array(shape)
    if matrix is None:
        raise InputError(f"{path}: a fastText model that is cut short; fetch it again.")
    return matrix


def _describe(model: _Model) -> str:
    if not model.num_buckets:
        return "a fastText model without subwords: the rows of its words were read, and no more."
    return (
        "a fastText model: a word's vector is the mean of its own row and those of its n-grams of "
        f"{model.min_chars} to {model.max_chars} characters, as in the model's .vec file; the "
        "n-grams were left, so a word that is not in the model has no row."
    )


def _rows_of_ngrams(word: bytes, model: _Model) -> list[int]:
    """Lists the rows of a word's n-grams, one that comes twice twice."""
    if not model.num_buckets or word == _END:
        return []
    marked = b"<" + word + b">"
    starts = [i for i, byte in enumerate(marked) if byte & 0xC0 != 0x80]  # of characters
    starts.append(len(marked))
    num_chars, rows = len(starts) - 1, []
    for first in range(num_chars):
        code, last = _FNV_START, min(first + model.max_chars, num_chars)
        for end in range(first + 1, last + 1):
            for byte in marked[starts[end - 1] : starts[end]]:
                signed = byte | 0xFFFFFF00 if byte & 0x80 else byte  # as a C++ char is widened
                code = ((code ^ signed) * _FNV_PRIME) & 0xFFFFFFFF
            is_mark = end == first + 1 and (first == 0 or end == num_chars)
            if end - first >= model.min_chars and not is_mark:
                rows.append(len(model.words) + code % model.num_buckets)
    return rows
