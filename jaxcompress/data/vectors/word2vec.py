"""word2vec's binary form: `N D` in text, then for each row a word, a space and D float32 numbers.

Some programs end each row with a line feed, as word2vec's own does, and some do not. A word may
hold spaces, so the space that ends it is the one after which the row ends where a row can end:
before a line feed, or else before something that can be the next word.

Axis letters: N rows, D dimensions.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxcompress.data.vectors.checks import binary_fault
from jaxcompress.data.vectors.text import header_note, read_header
from jaxcompress.data.vectors.window import Window
from jaxcompress.errors import InputError

_LONGEST = 1000  # bytes of a word
_LOOKAHEAD = 64  # bytes of the next word that are looked at
_TINY = 1e-12  # numbers of vectors are seldom nearer to zero, and never as large as its inverse
_MOST_DIMS = 1 << 20
_PRINTED = re.compile(rb"[^\x00-\x1f\x7f]*")  # what words consist of


def bin_records(
    stream: BinaryIO, path: Path, note: Callable[[str], None]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (word, float32 [D]) of each row.

    Args:
        stream: the file from its first byte on.
        path: what an error names.
        note: takes a line for the user if the header or a word is odd.

    Raises:
        InputError: if rows are cut short or do not line up: with the row, from 0.
    """
    num_rows, dim = _read_header(stream, path)
    window, has_line_ends = Window(stream), None
    told: set[str] = set()
    for number in range(num_rows):
        if not _skip_line_ends(window):
            note(header_note(num_rows, number))
            return
        window.reserve(2 * _LONGEST + 4 * dim)
        row = f"row {number} (from 0)"
        if has_line_ends is None:
            has_line_ends = _tell_line_ends(window, dim)
        space = _find_space(window, dim, has_line_ends, path, row)
        word = window.bytes[window.start : space].decode("utf-8", errors="surrogateescape")
        values = np.frombuffer(window.bytes, "<f4", dim, space + 1)
        if fault := binary_fault(values):
            raise InputError(f"{path}: {row}, {word[:40]!r}, holds {fault}.")
        oddity = _check_word(word, has_line_ends, f"{path}: {row}")
        if oddity is not None and oddity not in told:
            note(f"{oddity}: the first is {word[:40]!r}, {row}.")
            told.add(oddity)
        window.start = space + 1 + 4 * dim
        yield word, values
    if _skip_line_ends(window):
        raise InputError(
            f"{path}: more follows the {num_rows} rows of {dim} numbers that its header says; "
            "expected the end of the file."
        )


def _read_header(stream: BinaryIO, path: Path) -> tuple[int, int]:
    header = read_header(stream.readline(100).strip())
    if header is None:
        raise InputError(
            f"{path}: its first line is not 'rows dimensions'; expected word2vec .bin."
        )
    if not 0 < header[1] <= _MOST_DIMS:
        raise InputError(
            f"{path}: its header says {header[1]} dimensions; expected 1 to {_MOST_DIMS}."
        )
    return header


def _skip_line_ends(window: Window) -> bool:
    """Goes past line ends; tells whether anything follows."""
    window.reserve(_LONGEST)
    while window.bytes[window.start : window.start + 1] in (b"\n", b"\r"):
        window.start += 1
    return window.start < len(window.bytes)


def _tell_line_ends(window: Window, dim: int) -> bool:
    """Tells from the first row whether rows end with line feeds.

    A row of a word with spaces may end before a line feed by chance, if it is cut at a wrong one.
    """
    data = window.bytes
    cuts = [(space, end) for space, end in _cuts(window, dim) if end <= len(data)]
    if len(cuts) > 1:
        cuts.sort(key=lambda cut: _strangeness(data, cut[0], dim))
    return bool(cuts) and _ends_line(data, cuts[0][1])


def _find_space(window: Window, dim: int, has_line_ends: bool, path: Path, row: str) -> int:
    """Finds the space that ends the word of the next row, which an error names as `row`."""
    data, cuts = window.bytes, _cuts(window, dim)
    if not cuts and len(data) - window.start >= _LONGEST:
        raise InputError(f"{path}: {row}: no space in {_LONGEST} bytes; expected a word first.")
    can_end = _ends_line if has_line_ends else _precedes_word
    fitting = [space for space, end in cuts if can_end(data, end)]
    if len(fitting) > 1:
        return min(fitting, key=lambda space: _strangeness(data, space, dim))
    if fitting:
        return fitting[0]
    if not cuts or cuts[-1][1] > len(data):
        raise InputError(f"{path}: cut short in {row}; expected a word and {dim} numbers.")
    word = data[window.start : cuts[0][0]][:40].decode("utf-8", errors="replace")
    follows = "line end" if has_line_ends else "other word"
    raise InputError(
        f"{path}: {row}: no {follows} after {word!r} and {dim} numbers; expected rows that line "
        "up. If words hold spaces, save the table as text."
    )


def _check_word(word: str, has_line_ends: bool, place: str) -> str | None:
    """Says what is odd about a word; None if nothing is. An error begins with `place`."""
    if not _PRINTED.fullmatch(word.encode("utf-8", "surrogateescape")):
        if not has_line_ends or "\n" in word or "\r" in word:
            raise InputError(f"{place}: control bytes in {word[:40]!r}; expected a word.")
        return "words with control bytes"
    if " " in word and not has_line_ends:
        return "words with spaces, whose ends were told without line ends after rows"
    return None


def _cuts(window: Window, dim: int) -> list[tuple[int, int]]:
    """Lists the spaces that may end the next word, each with the place where its row would end.

    The first space is one of them; those after it only as long as what comes before is printed
    text in UTF-8.
    """
    data, start = window.bytes, window.start
    space = data.find(b" ", start, start + _LONGEST)
    if space < 0:
        return []
    cuts = [(space, space + 1 + 4 * dim)]
    printed_end = _PRINTED.match(data, start, start + _LONGEST).end()
    while (space := data.find(b" ", space + 1, printed_end)) >= 0:
        if not _is_utf8(data[start:space]):
            break
        cuts.append((space, space + 1 + 4 * dim))
    return cuts


def _ends_line(data: bytes, end: int) -> bool:
    """Tells whether a row that ends here is followed by a line feed, or by nothing at all."""
    return end <= len(data) and data[end : end + 1] in (b"\n", b"")


def _precedes_word(data: bytes, end: int) -> bool:
    """Tells whether a row that ends here is followed by printed text, or by nothing at all."""
    if end > len(data):
        return False
    follows = data[end : end + _LOOKAHEAD]
    printed = _PRINTED.match(follows).group()
    return b" " in printed or len(printed) == len(follows) or not follows.strip(b"\r\n")


def _strangeness(data: bytes, space: int, dim: int) -> int:
    """Counts what speaks against the end of a word at this space, if words may end at others too.

    Letters that are taken for a number make it huge or all but nothing, and bytes of a number that
    are taken for the start of the next word are seldom UTF-8.
    """
    numbers = np.abs(np.frombuffer(data, "<f4", dim, space + 1))
    is_usual = (numbers == 0) | ((numbers > _TINY) & (numbers < 1 / _TINY))
    end = space + 1 + 4 * dim
    follows = data[end : end + _LOOKAHEAD].lstrip(b"\n").partition(b" ")[0]
    return int(np.sum(~is_usual)) + (not _is_utf8(follows))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
