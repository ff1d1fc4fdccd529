"""Files of ratings, parsed column by column: MovieLens, Amazon, and delimited files of one's own.

A fast parser reads the columns, so that 25 million ratings take seconds and a few bytes each. It
does not tell what is wrong with a file; if it refuses one, the lines are looked through again.

Axis letters: n ratings of a file.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.data.paths import find_either, inner_name
from jaxcompress.data.ratings.header import is_finite
from jaxcompress.data.ratings.layout import Layout, read_layout
from jaxcompress.data.rows import read_rows
from jaxcompress.errors import InputError, not_installed

_KNOWN = ("ratings.dat", "ratings.csv", "u.data")  # MovieLens 1M and 10M, 20M and later, 100k
_GET_RATINGS = (
    "Fetch MovieLens with: jaxcompress download ml-1m (or ml-100k, ml-25m), and "
    "Amazon's ratings with: jaxcompress download amazon:CATEGORY; or give another "
    "file or folder with --config.data.path=PATH."
)


class Columns(NamedTuple):
    """The n ratings of one file.

    Attributes:
        users: the user's id of each rating: a ChunkedArray of strings [n], each distinct one
            stored once.
        items: the item's id of each rating, alike.
        values: float32 [n], finite; None: there are none, and these are pairs.
        times: int64 [n], seconds; None: they were not asked for.
    """

    users: Any
    items: Any
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
        InputError: if the file does not hold ratings: with its line, and what was expected; or if
            pyarrow is not installed.
    """
    layout = read_layout(file, columns)
    if with_times and "timestamp" not in layout.columns:
        raise InputError(
            f"{file}: no timestamps; expected a column timestamp, to order by, or to be told its "
            "name by timestamp=NAME in data.columns."
        )
    try:
        from jaxcompress.data.ratings import parse
    except ImportError as error:
        raise not_installed(f"{file}: reading ratings", "ratings", error) from None
    try:
        table = parse.parse(file, layout, with_times)
    except parse.FAULTS as error:
        raise _first_fault(file, layout, with_times, str(error)) from None
    if not table.num_rows:
        raise InputError(f"{file}: no ratings after the header.")
    values = table["rating"].to_numpy() if "rating" in layout.columns else None
    if values is not None and not np.isfinite(values).all():
        raise _first_fault(file, layout, with_times, "a rating is not finite")
    if any(parse.has_line_break(table[column]) for column in ("user", "item")):
        raise _first_fault(file, layout, with_times, "an id has a line break")
    times = table["timestamp"].to_numpy() if with_times else None
    return Columns(table["user"], table["item"], values, times)


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
