"""Ratings of items by users: MovieLens, Amazon, and delimited files of the user's own.

Ids may be anything; they are kept as strings, and rows are numbered in the order of the ids. A file
is read once, column by column, so that 25 million ratings need seconds and a few bytes each.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow
import pyarrow.csv

from jaxcompress.data.paths import find_either, open_binary
from jaxcompress.errors import InputError

COLUMNS = ("user", "item", "rating", "timestamp")


_KNOWN = ("ratings.dat", "ratings.csv", "u.data")  # MovieLens 1M and 10M, 20M and later, 100k


_SEPARATORS = ("::", "\t", ";", ",")


_BLOCK = 1 << 24  # bytes parsed at a time


_CHUNK = 1 << 20  # ratings looked through at a time


_NAMES = {  # of columns in a header line, in lower case without _ and blanks
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


class Ratings(NamedTuple):
    """n ratings of distinct (user, item) pairs, in the order of the file.

    Attributes:
        users: int32 [n], row numbers in [0, U).
        items: int32 [n], row numbers in [0, I).
        values: float32 [n].
        times: int64 [n], or None where the file has none.
        user_ids: the U names of users, as the file has them.
        item_ids: the I names of items.
        notes: what a user should know of the reading, a line each.
        source: what was read.
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    times: np.ndarray | None
    user_ids: list[str]
    item_ids: list[str]
    notes: tuple[str, ...] = ()
    source: str = ""

    def __len__(self) -> int:
        return len(self.values)


class _Layout(NamedTuple):
    """How a file is laid out: the separator, the columns by position, whether there is a header."""

    separator: str
    columns: tuple[str, ...]
    has_header: bool


def read_ratings(
    path: str,
    *,
    columns: Sequence[str] = COLUMNS,
    min_count: int = 1,
    with_times: bool = False,
) -> Ratings:
    """Reads a file of ratings, or all files of a folder as one data set.

    Args:
        path: a file (plain, .gz or in a .zip) separated by `::`, tab, semicolon or comma; or a
            folder with MovieLens's `ratings.dat`, `ratings.csv` or `u.data`, or else with any
            number of .csv files.
        columns: what the columns are where there is no header that says so.
        min_count: users and items with fewer ratings are left out, again and again until all
            that are left have so many (the k-core).
        with_times: whether to read timestamps too.

    Raises:
        InputError: with file, line, and what was expected.
    """
    files, source = _files(path)
    parts = [_read_file(file, _layout(file, columns), with_times) for file in files]
    users, user_ids = _number([part["user"] for part in parts])
    items, item_ids = _number([part["item"] for part in parts])
    values = np.concatenate([part["rating"] for part in parts])
    times = None
    if with_times:
        times = np.concatenate([part["timestamp"] for part in parts])
    del parts
    notes, kept = [], _last_of_each(users, items, len(item_ids))
    if kept is not None:
        notes.append(
            f"{np.count_nonzero(~kept):,} of {len(users):,} ratings are of a user and an item that "
            "come again later; the last one is kept."
        )
    if min_count > 1:
        before = np.ones(len(users), bool) if kept is None else kept
        kept = _core(users, items, before, min_count)
        notes.append(
            f"{np.count_nonzero(before & ~kept):,} ratings are of users or items with fewer than "
            f"{min_count} and are left out."
        )
        if not kept.any():
            raise InputError(
                f"{source}: no ratings are left with data.min_count = {min_count}; lower it."
            )
    if kept is not None:
        users, items, values = users[kept], items[kept], values[kept]
        times = None if times is None else times[kept]
        users, user_ids = _renumber(users, user_ids)
        items, item_ids = _renumber(items, item_ids)
    return Ratings(users, items, values, times, user_ids, item_ids, tuple(notes), str(source))


def _files(path: str) -> tuple[list[Path], Path]:
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


def _layout(file: Path, columns: Sequence[str]) -> _Layout:
    """Tells separator, columns and header from the first line."""
    with open_binary(file) as stream:
        first = stream.readline(1 << 16).decode("utf-8-sig", "replace").strip("\r\n")
    if not first.strip():
        raise InputError(f"{file}: its first line is empty; expected {', '.join(columns)}.")
    separator = next((s for s in _SEPARATORS if s in first), None)
    if separator is None:
        raise InputError(
            f"{file}:1: {first[:60]!r} has no separator; expected '::', a tab, ';' or ',' between "
            "columns."
        )
    fields = _split(first, separator)
    names = [_column_of(field) for field in fields]
    if "rating" in names:
        missing = [name for name in ("user", "item") if name not in names]
        if missing:
            raise InputError(
                f"{file}:1: no column {' nor '.join(missing)} in the header {first[:80]!r}; "
                f"expected one named {', '.join(_NAMES[missing[0]])}."
            )
        return _Layout(separator, tuple(names), True)
    if len(fields) < 3 or "rating" not in columns[: len(fields)]:
        raise InputError(
            f"{file}:1: {len(fields)} columns in {first[:60]!r}; expected {', '.join(columns)}."
        )
    return _Layout(separator, tuple(columns[: len(fields)]), False)


def _column_of(field: str) -> str:
    plain = field.lower().replace("_", "").replace(" ", "")
    return next((name for name, others in _NAMES.items() if plain in others), field)


def _split(line: str, separator: str) -> list[str]:
    if separator == "::":
        return line.split("::")
    return next(csv.reader([line], delimiter=separator))


def _read_file(file: Path, layout: _Layout, with_times: bool) -> dict:
    """Reads the columns; ids stay pyarrow's dictionaries, the others become NumPy arrays."""
    names, separator = list(layout.columns), layout.separator
    if separator == "::":  # pyarrow takes one character: an empty column comes between any two
        names = [part for name in names for part in (name, f"after {name}")][:-1]
    wanted = ["user", "item", "rating"]
    if with_times:
        if "timestamp" not in names:
            raise InputError(f"{file}: no timestamps; expected a column timestamp, to order by.")
        wanted.append("timestamp")
    ids = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    kinds = dict(zip(wanted, (ids, ids, pyarrow.float32(), pyarrow.int64()), strict=False))
    try:
        with open_binary(file) as stream:
            table = pyarrow.csv.read_csv(
                stream,
                pyarrow.csv.ReadOptions(
                    column_names=names, skip_rows=int(layout.has_header), block_size=_BLOCK
                ),
                pyarrow.csv.ParseOptions(delimiter=separator[0]),
                pyarrow.csv.ConvertOptions(
                    include_columns=wanted, column_types=kinds, null_values=[]
                ),
            )
    except pyarrow.ArrowInvalid as error:
        raise _first_fault(file, layout, with_times, str(error)) from None
    columns = {name: table[name].to_numpy() for name in wanted[2:]}
    if not table.num_rows:
        raise InputError(f"{file}: no ratings after the header.")
    if not np.isfinite(columns["rating"]).all():
        raise _first_fault(file, layout, with_times, "a rating is not finite")
    return {**columns, "user": table["user"], "item": table["item"]}


def _first_fault(file: Path, layout: _Layout, with_times: bool, otherwise: str) -> InputError:
    """Finds the first line that is wrong: the fast reader does not say which."""
    separator, columns = layout.separator, layout.columns
    expected = f"expected {separator.join(columns)}" if separator != "\t" else (
        f"expected {', '.join(columns)} separated by tabs"
    )  # fmt: skip
    with open_binary(file) as stream:
        for number, line in enumerate(stream, 1):
            if number == 1 and layout.has_header:
                continue
            try:
                text = line.decode("utf-8").strip("\r\n")
            except UnicodeDecodeError:
                return InputError(f"{file}:{number}: not UTF-8; {expected}.")
            if not text:
                continue
            fields = _split(text, separator)
            if len(fields) != len(columns):
                return InputError(
                    f"{file}:{number}: {len(fields)} columns in {text[:60]!r}; {expected}."
                )
            row = dict(zip(columns, fields, strict=True))
            if not _is_finite(row["rating"]):
                return InputError(
                    f"{file}:{number}: rating {row['rating'][:30]!r} is not a finite number; "
                    f"{expected}."
                )
            if with_times and not row["timestamp"].strip().lstrip("-").isdecimal():
                return InputError(
                    f"{file}:{number}: timestamp {row['timestamp'][:30]!r} is not a whole number "
                    f"of seconds; {expected}."
                )
    return InputError(f"{file}: cannot be read ({otherwise}); {expected}.")


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(columns: list[pyarrow.ChunkedArray]) -> tuple[np.ndarray, list[str]]:
    """Numbers ids in their order: as numbers where all are, else as strings."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    joined = pyarrow.chunked_array(chunks).unify_dictionaries()
    names = joined.chunk(0).dictionary.to_pylist()
    if all(name.isdecimal() for name in names):
        order = sorted(range(len(names)), key=lambda i: (int(names[i]), names[i]))
    else:
        order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    numbers = np.concatenate([rank[chunk.indices.to_numpy()] for chunk in joined.chunks])
    return numbers, [names[i] for i in order]


def _last_of_each(users: np.ndarray, items: np.ndarray, num_items: int) -> np.ndarray | None:
    """Whether each rating is the last one of its (user, item), [n]; None where none is repeated."""
    in_order = _pairs(users, items, num_items)
    in_order.sort()
    repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    del in_order
    if not len(repeated):
        return None
    found = []  # in chunks: far less memory than an order of all ratings
    for start in range(0, len(users), _CHUNK):
        part = slice(start, start + _CHUNK)
        pairs = _pairs(users[part], items[part], num_items)
        at = np.minimum(np.searchsorted(repeated, pairs), len(repeated) - 1)
        found.append(start + np.flatnonzero(repeated[at] == pairs))
    positions = np.concatenate(found)
    last = {p: i for i, p in zip(positions, _pairs(users[positions], items[positions], num_items),
                                 strict=True)}  # fmt: skip
    kept = np.ones(len(users), bool)
    kept[positions] = False
    kept[list(last.values())] = True
    return kept


def _pairs(users: np.ndarray, items: np.ndarray, num_items: int) -> np.ndarray:
    """A number for each (user, item), int64."""
    return users.astype(np.int64) * num_items + items


def _core(users: np.ndarray, items: np.ndarray, kept: np.ndarray, min_count: int) -> np.ndarray:
    """Which of the ratings `kept` are of users and items with so many of them, [n]."""
    while kept.any():
        often = np.bincount(users[kept], minlength=users.max() + 1) >= min_count
        liked = np.bincount(items[kept], minlength=items.max() + 1) >= min_count
        left = kept & often[users] & liked[items]
        if (left == kept).all():
            break
        kept = left
    return kept


def _renumber(rows: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Closes the gaps that rows left out have made."""
    there = np.bincount(rows, minlength=len(names)) > 0
    if there.all():
        return rows, names
    number = (np.cumsum(there) - 1).astype(np.int32)
    return number[rows], [name for name, is_there in zip(names, there, strict=True) if is_there]
