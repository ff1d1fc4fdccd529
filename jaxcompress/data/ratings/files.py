"""Files of ratings, parsed column by column: MovieLens, Amazon, and delimited files of one's own.

A fast parser reads the columns, so that 25 million ratings take seconds and a few bytes each. It
does not tell what is wrong with a file; if it refuses one, the lines are looked through again.

Axis letters: n ratings of a file.
"""

import codecs
import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv

from jaxcompress.data.paths import find_either, inner_name
from jaxcompress.data.ratings.header import is_finite
from jaxcompress.data.ratings.layout import Layout, read_layout
from jaxcompress.data.rows import has_quotes, read_rows
from jaxcompress.data.text_files import open_text
from jaxcompress.errors import InputError

_KNOWN = ("ratings.dat", "ratings.csv", "u.data")  # MovieLens 1M and 10M, 20M and later, 100k
_BLOCK = 1 << 24  # bytes parsed at a time
_GET_RATINGS = (
    "Fetch MovieLens with: python -m jaxcompress.data.download ml-1m (or ml-100k, ml-25m), and "
    "Amazon's ratings with: python -m jaxcompress.data.download amazon:CATEGORY; or give another "
    "file or folder with --config.data.path=PATH."
)


class Columns(NamedTuple):
    """The n ratings of one file.

    Attributes:
        users: the user's id of each rating: strings [n], each distinct one stored once.
        items: the item's id of each rating: strings [n], each distinct one stored once.
        values: float32 [n], finite; None: there are none, and these are pairs.
        times: int64 [n], seconds; None: they were not asked for.
    """

    users: pyarrow.ChunkedArray
    items: pyarrow.ChunkedArray
    values: np.ndarray | None
    times: np.ndarray | None


def find_ratings(path: str) -> tuple[list[Path], Path]:
    """Finds the files of ratings at a path, and the path as it was found.

    Args:
        path: a file, or a folder with one of MovieLens's files, or else with any number of .csv
            files, plain or compressed.

    Raises:
        InputError: if there is none; it names the paths that were looked at.
    """
    place = find_either(path, _GET_RATINGS)
    if not place.is_dir():
        return [place], place
    for name in _KNOWN:
        if (place / name).is_file():
            return [place / name], place
    files = sorted(file for file in place.iterdir() if _is_csv(file))
    if not files:
        raise InputError(
            f"{place}: no ratings in this folder; expected {', '.join(_KNOWN)} or .csv files."
        )
    return files, place


def _is_csv(file: Path) -> bool:
    is_hidden = file.name.startswith(".")  # as what macOS leaves beside a file
    return file.is_file() and not is_hidden and inner_name(file).lower().endswith(".csv")


def read_columns(file: Path, columns: Sequence[str], with_times: bool) -> Columns:
    """Reads the ratings of one file.

    Args:
        file: plain, .gz, or a member of a .zip.
        columns: names of the columns, as `layout.check_columns` takes them.
        with_times: whether to read timestamps.

    Raises:
        InputError: if the file does not hold ratings: with its line, and what was expected.
    """
    layout = read_layout(file, columns)
    if with_times and "timestamp" not in layout.columns:
        raise InputError(
            f"{file}: no timestamps; expected a column timestamp, to order by, or to be told its "
            "name by timestamp=NAME in data.columns."
        )
    try:
        table = _parse(file, layout, with_times)
    except (pyarrow.ArrowInvalid, UnicodeDecodeError) as error:
        raise _first_fault(file, layout, with_times, str(error)) from None
    if not table.num_rows:
        raise InputError(f"{file}: no ratings after the header.")
    values = table["rating"].to_numpy() if "rating" in layout.columns else None
    if values is not None and not np.isfinite(values).all():
        raise _first_fault(file, layout, with_times, "a rating is not finite")
    if any(_has_line_break(table[column]) for column in ("user", "item")):
        raise _first_fault(file, layout, with_times, "an id has a line break")
    times = table["timestamp"].to_numpy() if with_times else None
    return Columns(table["user"], table["item"], values, times)


def _parse(file: Path, layout: Layout, with_times: bool) -> pyarrow.Table:
    """Reads the columns that are needed; ids are kept as dictionaries of strings.

    Raises:
        ArrowInvalid: if a line has other columns or what should be a number is none.
        UnicodeDecodeError: if a line is not UTF-8, also in a column that is not needed.
    """
    ids = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    types = {"user": ids, "item": ids}
    if "rating" in layout.columns:
        types["rating"] = pyarrow.float32()
    if with_times:
        types["timestamp"] = pyarrow.int64()
    names, quoted = list(layout.columns), has_quotes(layout.separator)
    if layout.separator == "::":  # pyarrow takes one character: an empty column is between any two
        names = [part for name in names for part in (name, f"after {name}")][:-1]
    with open_text(file) as stream:
        return pyarrow.csv.read_csv(
            pyarrow.PythonFile(_Utf8(stream), mode="r"),
            pyarrow.csv.ReadOptions(
                column_names=names, skip_rows=layout.header_lines, block_size=_BLOCK
            ),
            pyarrow.csv.ParseOptions(
                delimiter=layout.separator[0],
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
            ),
            pyarrow.csv.ConvertOptions(
                include_columns=list(types), column_types=types, null_values=[]
            ),
        )


class _Utf8(io.RawIOBase):
    """A stream whose bytes are checked to be UTF-8: the parser checks those that it keeps alone."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Reads bytes; raises UnicodeDecodeError."""
        chunk = self._stream.read(size)
        self._decoder.decode(chunk, final=not chunk)
        return chunk


def _has_line_break(ids: pyarrow.ChunkedArray) -> bool:
    """Tells whether one of the distinct ids has one: where a quote is not closed, one often has."""
    found = (pyarrow.compute.match_substring(c.dictionary, "\n") for c in ids.chunks)
    return any(pyarrow.compute.any(some).as_py() for some in found)


def _first_fault(file: Path, layout: Layout, with_times: bool, otherwise: str) -> InputError:
    """Finds the first row that is wrong; `otherwise` is what the error says if there is none."""
    for row in itertools.islice(
        read_rows(file, layout.separator), int(layout.header_lines > 0), None
    ):
        if fault := _fault_of(row.fields, layout, with_times):
            return InputError(f"{file}:{row.line}: {fault}; expected {layout}.")
    reason = " ".join(otherwise.split())[:200]
    return InputError(f"{file}: cannot be read ({reason}); expected {layout}.")


def _fault_of(fields: list[str], layout: Layout, with_times: bool) -> str | None:
    """Says what is wrong with a row; None if nothing is."""
    if len(fields) != len(layout.columns):
        shown = layout.separator.join(fields)[:60]
        return f"the number of columns in {shown!r} is {len(fields)}"
    row = dict(zip(layout.columns, fields, strict=True))
    for column in ("user", "item"):
        if "\n" in row[column]:
            return f"{column} {row[column][:30]!r} has a line break, as if a quote were open"
    if "rating" in row and not is_finite(row["rating"]):
        return f"rating {row['rating'][:30]!r} is not a finite number"
    if with_times and not row["timestamp"].strip().lstrip("-").isdecimal():
        return f"timestamp {row['timestamp'][:30]!r} is not a whole number of seconds"
    return None
