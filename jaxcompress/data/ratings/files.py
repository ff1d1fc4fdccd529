"""Files of ratings, parsed column by column: MovieLens, Amazon, and delimited files of one's own.

A fast parser reads the columns, so that 25 million ratings take seconds and a few bytes each. It
does not tell what is wrong with a file; if it refuses one, the lines are looked through again.

Axis letters: n ratings of a file.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv

from jaxcompress.data.paths import find_either
from jaxcompress.data.rows import Row, has_quotes, split_rows
from jaxcompress.data.text_files import decode, open_text
from jaxcompress.errors import InputError

COLUMNS = ("user", "item", "rating", "timestamp")

_KNOWN = ("ratings.dat", "ratings.csv", "u.data")  # MovieLens 1M and 10M, 20M and later, 100k
_SEPARATORS = ("::", "\t", ";", ",")
_BLOCK = 1 << 24  # bytes parsed at a time
_LONGEST = 1 << 16  # bytes of the first line that a separator is looked for in
_HEADERS = {  # names of a column in a header, in lower case without underscores and spaces
    "user": ("user", "userid", "reviewerid"),
    "item": ("item", "itemid", "movieid", "asin", "parentasin", "productid"),
    "rating": ("rating", "overall", "score", "stars"),
    "timestamp": ("timestamp", "time", "unixreviewtime", "date"),
}
_GET_RATINGS = (
    "Fetch MovieLens with: python -m jaxcompress.data.download ml-1m (or ml-100k, ml-25m), and "
    "Amazon's ratings with: python -m jaxcompress.data.download amazon:CATEGORY; or give another "
    "file or folder with --config.data.path=PATH."
)


class _Layout(NamedTuple):
    """How a file is laid out.

    Attributes:
        separator: what stands between columns.
        columns: names of the columns, in order.
        has_header: whether the first line names the columns.
    """

    separator: str
    columns: tuple[str, ...]
    has_header: bool


class Columns(NamedTuple):
    """The n ratings of one file.

    Attributes:
        users: the user's id of each rating: strings [n], each distinct one stored once.
        items: the item's id of each rating: strings [n], each distinct one stored once.
        values: float32 [n], finite.
        times: int64 [n], seconds; None: they were not asked for.
    """

    users: pyarrow.ChunkedArray
    items: pyarrow.ChunkedArray
    values: np.ndarray
    times: np.ndarray | None


def find_ratings(path: str) -> tuple[list[Path], Path]:
    """Finds the files of ratings at a path, and the path as it was found.

    Args:
        path: a file, or a folder with one of MovieLens's files, or else with any number of .csv
            files, plain or .gz.

    Raises:
        InputError: if there is none; it names the paths that were looked at.
    """
    place = find_either(path, _GET_RATINGS)
    if not place.is_dir():
        return [place], place
    for name in _KNOWN:
        if (place / name).is_file():
            return [place / name], place
    files = sorted(f for f in place.iterdir() if f.name.endswith((".csv", ".csv.gz")))
    if not files:
        raise InputError(
            f"{place}: no ratings in this folder; expected {', '.join(_KNOWN)} or .csv files."
        )
    return files, place


def read_columns(file: Path, columns: Sequence[str], with_times: bool) -> Columns:
    """Reads the ratings of one file.

    Args:
        file: plain, .gz, or a member of a .zip.
        columns: names of the columns, if the file has no header.
        with_times: whether to read timestamps.

    Raises:
        InputError: if the file does not hold ratings: with its line, and what was expected.
    """
    layout = _read_layout(file, columns)
    if with_times and "timestamp" not in layout.columns:
        raise InputError(f"{file}: no timestamps; expected a column timestamp, to order by.")
    try:
        table = _parse(file, layout, with_times)
    except pyarrow.ArrowInvalid as error:
        raise _first_fault(file, layout, with_times, str(error)) from None
    if not table.num_rows:
        raise InputError(f"{file}: no ratings after the header.")
    values = table["rating"].to_numpy()
    if not np.isfinite(values).all():
        raise _first_fault(file, layout, with_times, "a rating is not finite")
    if any(_has_line_break(table[column]) for column in ("user", "item")):
        raise _first_fault(file, layout, with_times, "an id has a line break")
    times = table["timestamp"].to_numpy() if with_times else None
    return Columns(table["user"], table["item"], values, times)


def _read_layout(file: Path, columns: Sequence[str]) -> _Layout:
    """Tells separator, columns and header from the first line."""
    with open_text(file) as stream:
        first = stream.readline(_LONGEST).decode("utf-8", "replace").strip("\n")
    if not first.strip():
        raise InputError(f"{file}: its first line is empty; expected {', '.join(columns)}.")
    separator = next((s for s in _SEPARATORS if s in first), None)
    if separator is None:
        raise InputError(
            f"{file}:1: {first[:60]!r} has no separator; expected '::', a tab, ';' or ',' between "
            "columns."
        )
    fields = next(_read_rows(file, separator)).fields
    named = tuple(_column_of(field) for field in fields)
    if "rating" in named:
        if missing := [column for column in ("user", "item") if column not in named]:
            raise InputError(
                f"{file}:1: no column {' nor '.join(missing)} in the header {first[:80]!r}; "
                f"expected one named {', '.join(_HEADERS[missing[0]])}."
            )
        return _Layout(separator, named, True)
    if len(fields) < 3 or "rating" not in columns[: len(fields)]:
        raise InputError(
            f"{file}:1: the number of columns in {first[:60]!r} is {len(fields)}; expected "
            f"{', '.join(columns)}."
        )
    return _Layout(separator, tuple(columns[: len(fields)]), False)


def _column_of(field: str) -> str:
    """Finds the column that a field of a header names; the field itself if it names none."""
    plain = field.lower().replace("_", "").replace(" ", "")
    return next((column for column, names in _HEADERS.items() if plain in names), field)


def _read_rows(file: Path, separator: str) -> Iterator[Row]:
    """Reads rows one by one, which is slow."""
    with open_text(file) as stream:
        lines = (decode(line, file, number) for number, line in enumerate(stream, 1))
        yield from split_rows(lines, separator, file)


def _parse(file: Path, layout: _Layout, with_times: bool) -> pyarrow.Table:
    """Reads the columns that are needed; ids are kept as dictionaries of strings.

    Raises:
        ArrowInvalid: if a line has other columns or what should be a number is none.
    """
    ids = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    types = {"user": ids, "item": ids, "rating": pyarrow.float32()}
    if with_times:
        types["timestamp"] = pyarrow.int64()
    names, quoted = list(layout.columns), has_quotes(layout.separator)
    if layout.separator == "::":  # pyarrow takes one character: an empty column is between any two
        names = [part for name in names for part in (name, f"after {name}")][:-1]
    with open_text(file) as stream:
        return pyarrow.csv.read_csv(
            stream,
            pyarrow.csv.ReadOptions(
                column_names=names, skip_rows=int(layout.has_header), block_size=_BLOCK
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


def _has_line_break(ids: pyarrow.ChunkedArray) -> bool:
    """Tells whether one of the distinct ids has one: where a quote is not closed, one often has."""
    found = (pyarrow.compute.match_substring(c.dictionary, "\n") for c in ids.chunks)
    return any(pyarrow.compute.any(some).as_py() for some in found)


def _first_fault(file: Path, layout: _Layout, with_times: bool, otherwise: str) -> InputError:
    """Finds the first row that is wrong; `otherwise` is what the error says if there is none."""
    shown = ", ".join(layout.columns) + " separated by tabs"
    if layout.separator != "\t":
        shown = layout.separator.join(layout.columns)
    for row in itertools.islice(_read_rows(file, layout.separator), int(layout.has_header), None):
        if fault := _fault_of(row.fields, layout, with_times):
            return InputError(f"{file}:{row.line}: {fault}; expected {shown}.")
    reason = " ".join(otherwise.split())[:200]
    return InputError(f"{file}: cannot be read ({reason}); expected {shown}.")


def _fault_of(fields: list[str], layout: _Layout, with_times: bool) -> str | None:
    """Says what is wrong with a row; None if nothing is."""
    if len(fields) != len(layout.columns):
        shown = layout.separator.join(fields)[:60]
        return f"the number of columns in {shown!r} is {len(fields)}"
    row = dict(zip(layout.columns, fields, strict=True))
    for column in ("user", "item"):
        if "\n" in row[column]:
            return f"{column} {row[column][:30]!r} has a line break, as if a quote were open"
    if not _is_finite(row["rating"]):
        return f"rating {row['rating'][:30]!r} is not a finite number"
    if with_times and not row["timestamp"].strip().lstrip("-").isdecimal():
        return f"timestamp {row['timestamp'][:30]!r} is not a whole number of seconds"
    return None


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
