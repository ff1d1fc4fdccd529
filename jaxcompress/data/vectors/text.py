"""GloVe, word2vec and fastText text: in each line a word, a space and D numbers.

A word may hold spaces and end in a number, so one row does not tell how many numbers a row has. The
first rows are asked, and the width is what most of them agree on.

Axis letter: D dimensions.
"""

import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from jaxcompress.data.vectors.checks import is_finite
from jaxcompress.errors import InputError

_SAMPLE = 100  # rows that are asked for the width


class _Line(NamedTuple):
    """A line that is not blank.

    Attributes:
        number: counted from 1.
        text: its columns, separated by spaces.
        is_ended: whether it has a line end, which only the last line may lack.
    """

    number: int
    text: bytes
    is_ended: bool


class _Layout(NamedTuple):
    """How the rows of a file look.

    Attributes:
        num_rows: what the header says; None: there is no header.
        dim: D; None: no row ends in a number.
        is_agreed: whether most rows have D numbers; then a number before them is part of the word.
        reason: where D is from, the end of an error.
    """

    num_rows: int | None
    dim: int | None
    is_agreed: bool
    reason: str


def text_records(
    stream: BinaryIO, path: Path, note: Callable[[str], None]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (word, float32 [D]) of each row.

    Args:
        stream: lines that end in line feeds, from the first one on.
        path: what an error names.
        note: takes a line for the user if the header does not say how many rows there are.

    Raises:
        InputError: if a line is not a row: with its number, and what was expected.
    """
    lines = _lines(stream)
    sample = list(itertools.islice(lines, _SAMPLE + 1))
    layout = _tell_layout(sample)
    count, line = 0, None
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how older NumPy says "not a number"
        skipped = 0 if layout.num_rows is None else 1
        for line in itertools.chain(sample[skipped:], lines):
            word, row = _parse_row(line, layout, path)
            if not is_finite(row):
                raise InputError(
                    f"{path}, line {line.number}: NaN or infinity; expected {len(row)} finite "
                    f"numbers after the word {_show(word)}."
                )
            count += 1
            yield word.decode("utf-8", errors="surrogateescape"), row
    if layout.num_rows is not None and count != layout.num_rows:
        if count < layout.num_rows and line is not None and not line.is_ended:
            raise InputError(
                f"{path}, line {line.number}: the file is cut short in this line; its header says "
                f"{layout.num_rows} rows, and this is number {count}, without a line end."
            )
        note(header_note(layout.num_rows, count))


def header_note(said: int, count: int) -> str:
    """Says that a header is wrong about the number of rows."""
    return f"the header says {said} rows; the file has {count}, and all of them were read."


def read_header(line: bytes) -> tuple[int, int] | None:
    """Reads `N D` on the first line, as word2vec and fastText write it; None if it is no header."""
    columns = line.split()
    if len(columns) == 2 and all(c.isdigit() for c in columns):
        return int(columns[0]), int(columns[1])
    return None


def count_numbers(line: bytes) -> int:
    """Counts the numbers at the end of a line; the first column is a word, whatever it is.

    >>> count_numbers(b"year 2003 0.5 1e-3"), count_numbers(b"2003 0.5"), count_numbers(b"so it is")
    (3, 1, 0)
    """
    columns = line.split()[1:]
    return sum(1 for _ in itertools.takewhile(_is_number, reversed(columns)))


def _lines(stream: BinaryIO) -> Iterator[_Line]:
    for number, line in enumerate(stream, 1):
        if text := line.rstrip(b" \t\n").replace(b"\t", b" "):
            yield _Line(number, text, line.endswith(b"\n"))


def _tell_layout(sample: list[_Line]) -> _Layout:
    """Tells the header and the width from the first lines.

    A header's D counts more than the rows', but a line of two whole numbers is a row if all rows
    are a word and one number.
    """
    header = read_header(sample[0].text) if sample and sample[0].number == 1 else None
    counts = [count_numbers(line.text) for line in sample]
    widths = Counter(counts[0 if header is None else 1 :])
    are_pairs = set(widths) == {1} and all(len(line.text.split()) == 2 for line in sample)
    if header is not None and header[1] > 0 and not (are_pairs and header[1] != 1):
        num_rows, dim = header
        widths[dim] += 1  # the header agrees with itself
        return _Layout(num_rows, dim, 2 * widths[dim] > widths.total(), "as its header says")
    [(dim, count)] = widths.most_common(1) or [(0, 0)]
    if not dim:
        return _Layout(None, None, False, "")
    if 2 * count > widths.total():
        return _Layout(None, dim, True, "as in most rows")
    return _Layout(None, dim, False, f"as in line {sample[counts.index(dim)].number}")


def _parse_row(line: _Line, layout: _Layout, path: Path) -> tuple[bytes, np.ndarray]:
    """Parses a row: the last D columns are numbers, and what stands before them is the word."""
    text, dim = line.text, layout.dim
    if dim is None:
        raise _bad_line(path, line, layout)
    word, _, rest = text.partition(b" ")
    row = _numbers(rest)
    if row is not None and len(row) == dim:
        return word, row
    word, *columns = text.rsplit(None, dim)
    row = _numbers(b" ".join(columns))
    if row is None or len(row) != dim or not (layout.is_agreed or not _ends_in_number(word)):
        raise _bad_line(path, line, layout)
    return word.strip(b" "), row


def _numbers(text: bytes) -> np.ndarray | None:
    """Parses numbers separated by spaces: float32 [n]; None if one of them is no number."""
    try:
        return np.fromstring(text, np.float32, sep=" ")
    except (ValueError, DeprecationWarning):
        return None


def _ends_in_number(word: bytes) -> bool:
    return _is_number(word.split()[-1])


def _is_number(column: bytes) -> bool:
    try:
        float(column)
    except ValueError:
        return False
    return b"_" not in column  # Python reads 1_000, files of vectors do not have it


def _bad_line(path: Path, line: _Line, layout: _Layout) -> InputError:
    """Says what is wrong with a line: a column that is no number, or the number of columns."""
    columns, dim = line.text.split(), layout.dim
    wanted = "a word and numbers" if dim is None else f"a word and {dim} numbers, {layout.reason}"
    tail = columns[1:] if dim is None else columns[-dim:]
    bad = next((c for c in tail if not _is_number(c)), None)
    if len(columns) - 1 >= (dim or 1) and bad is not None:
        return InputError(
            f"{path}, line {line.number}: {_show(bad)} is not a number; expected {wanted}."
        )
    return InputError(
        f"{path}, line {line.number}: the number of columns is {len(columns)}; expected {wanted}."
    )


def _show(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", errors="replace"))
