"""How a file of ratings is laid out: its separator, its columns, and whether a header names them.

A column that is none of `COLUMNS` is not read. A file without a column of ratings holds pairs.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxcompress.data.ratings.header import (
    COLUMNS,
    check_header,
    find_columns,
    is_finite,
    is_like_header,
    name_columns,
    suggest_columns,
)
from jaxcompress.data.rows import read_rows
from jaxcompress.data.text_files import open_text
from jaxcompress.errors import InputError

_SEPARATORS = ("::", "\t", ";", ",")
_LONGEST = 1 << 16  # bytes of the first line that a separator is looked for in


class Layout(NamedTuple):
    """How a file is laid out.

    Attributes:
        separator: what stands between columns.
        columns: names of the columns, in order: those of `COLUMNS`, once at most, and any others.
        header_lines: lines of a first row that names the columns; 0 if there is none.
    """

    separator: str
    columns: tuple[str, ...]
    header_lines: int = 0

    def __str__(self) -> str:
        columns = [" ".join(column.split()) for column in self.columns]
        if self.separator == "\t":
            return f"{', '.join(columns)} separated by tabs"
        return self.separator.join(columns)


def check_columns(columns: Sequence[str]) -> None:
    """Checks what a user says of the columns: all of them in order, or names in a header.

    >>> check_columns(["item", "user", "rating"])
    >>> check_columns(["user=User-ID", "item=ISBN"])

    Raises:
        InputError: if it is neither.
    """
    shown, pairs = f"data.columns is {','.join(columns)}", [c.partition("=") for c in columns]
    if any(equals for _, equals, _ in pairs):
        for (column, _, name), given in zip(pairs, columns, strict=True):
            if not name.strip() or column not in COLUMNS:
                raise InputError(
                    f"{shown}; {given!r} is not one of {', '.join(COLUMNS)} and its name in a "
                    "header, as in user=User-ID,item=ISBN,rating=Book-Rating."
                )
        names = [name.strip() for _, _, name in pairs]
        if again := [name for name in names if names.count(name) > 1]:
            both = " and ".join(c for c, _, name in pairs if name.strip() == again[0])
            raise InputError(f"{shown}; {both} are both called {again[0]!r}.")
    named = [column for column, _, _ in pairs]
    for column in COLUMNS:
        count = named.count(column)
        if count > 1 or (count == 0 and column in ("user", "item")):
            fault = f"has {column} {count} times" if count else f"lacks {column}"
            raise InputError(
                f"{shown}; it {fault}. Expected user and item, and perhaps rating and timestamp."
            )


def read_layout(file: Path, columns: Sequence[str]) -> Layout:
    """Tells separator, columns and header from the first rows of a file.

    Args:
        file: plain, .gz, or a member of a .zip.
        columns: what `check_columns` takes. If they are in order, a header that names the columns
            itself is preferred to them.

    Raises:
        InputError: if the columns cannot be told: with the file, what was expected, and how to
            name them.
    """
    with open_text(file) as stream:
        line = stream.readline(_LONGEST).decode("utf-8", "replace")
    if not line.strip():
        raise InputError(f"{file}: its first line is empty; expected {', '.join(columns)}.")
    separators = [separator for separator in _SEPARATORS if separator in line]
    if not separators:
        raise InputError(
            f"{file}:1: {line.strip()[:60]!r} has no separator; expected '::', a tab, ';' or ',' "
            "between columns."
        )
    faults = []
    for separator in separators:  # a text among the columns may hold one that separates nothing
        try:
            return _layout_by(file, separator, columns)
        except InputError as fault:
            faults.append(fault)
    raise faults[0]


def _layout_by(file: Path, separator: str, columns: Sequence[str]) -> Layout:
    """Tells the layout of a file, if this is its separator."""
    rows, place = itertools.islice(read_rows(file, separator), 2), f"{file}:1"
    first, *others = (row.fields for row in rows)
    second, header_lines = others[0] if others else [], 1 + "".join(first).count("\n")
    if "=" in columns[0]:
        return Layout(separator, find_columns(first, columns, place), header_lines)
    named = name_columns(first)
    if "rating" in named or {"user", "item"} <= set(named):
        check_header(named, first, second, place)
        return Layout(separator, named, header_lines)
    if is_like_header(first, second, "rating" in columns):
        raise InputError(
            f"{place}: {', '.join(first)[:80]!r} looks like a header, but of other columns; name "
            f"them, as in {suggest_columns(first, second)}."
        )
    return _without_header(first, Layout(separator, tuple(columns)), place)


def _without_header(first: list[str], layout: Layout, place: str) -> Layout:
    """Takes columns in the order given, of which the last ones may be missing."""
    names = layout.columns[: len(first)]
    lacks = [column for column in COLUMNS[:3] if column in layout.columns and column not in names]
    if lacks or len(first) > len(layout.columns):
        hint = "; of a user and an item alone, set --config.data.columns=user,item"
        raise InputError(
            f"{place}: the number of columns in {layout.separator.join(first)[:60]!r} is "
            f"{len(first)}; expected {', '.join(layout.columns)}{hint if lacks else ''}."
        )
    layout = layout._replace(columns=names)
    if "rating" in names and not is_finite(value := first[names.index("rating")]):
        raise InputError(
            f"{place}: rating {value[:30]!r} is not a finite number; expected {layout}."
        )
    return layout
