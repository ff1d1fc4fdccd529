"""Headers of files of ratings: which column each field names, and what to say if one names none."""

import shlex
from collections.abc import Sequence

import numpy as np

from jaxcompress.errors import InputError

_LARGEST = float(np.finfo(np.float32).max)
COLUMNS = ("user", "item", "rating", "timestamp")

_NAMES = {  # names of a column in a header, as `_plain` makes them
    "user": ("user", "userid", "reviewerid", "customerid"),
    "item": (
        "item", "itemid", "movieid", "asin", "parentasin", "productid", "bookid", "isbn",
        "businessid", "artistid", "trackid", "songid", "gameid", "animeid", "videoid", "recipeid",
    ),
    "rating": ("rating", "overall", "score", "stars", "bookrating"),
    "timestamp": ("timestamp", "time", "unixreviewtime", "date"),
}  # fmt: skip


def name_columns(fields: Sequence[str]) -> tuple[str, ...]:
    """Finds the columns that the fields of a first row name; a field that names none stays.

    If several name the time, the usual name of it does.

    >>> name_columns(["User-ID", "ISBN", "date", "review", "timestamp"])
    ('user', 'item', 'date', 'review', 'timestamp')
    """
    found = []
    for field in fields:
        plain = _plain(field)
        found.append(next((c for c, names in _NAMES.items() if plain in names), None))
    times = [i for i, column in enumerate(found) if column == "timestamp"]
    for i in sorted(times, key=lambda i: _NAMES["timestamp"].index(_plain(fields[i])))[1:]:
        found[i] = None
    return tuple(column or _other(field) for column, field in zip(found, fields, strict=True))


def check_header(
    named: Sequence[str], fields: Sequence[str], second: Sequence[str], place: str
) -> None:
    """Checks the columns of a header.

    Args:
        named: what `name_columns` finds.
        fields: the header.
        second: the row after it, which shows what columns of unknown names may be.
        place: what an error begins with.

    Raises:
        InputError: if user or item is missing, one of the columns that are read
            is there twice, or a rating is missing and one of the other columns might be it.
    """
    shown, hint = repr(", ".join(fields)[:80]), suggest_columns(fields, second)
    if missing := [column for column in ("user", "item") if column not in named]:
        raise InputError(
            f"{place}: no column {' nor '.join(missing)} in the header {shown}; name the "
            f"columns, as in {hint}."
        )
    for column in COLUMNS:
        if named.count(column) > 1:
            both = ", ".join(f for f, c in zip(fields, named, strict=True) if c == column)
            raise InputError(
                f"{place}: {both} of the header {shown} all name the {column}; say "
                f"which, as in {hint}."
            )
    if "rating" not in named and set(named) - set(COLUMNS):
        raise InputError(
            f"{place}: no column rating in the header {shown}; name the columns, as in "
            f"{hint}; without a rating each pair counts 1."
        )


def find_columns(fields: Sequence[str], columns: Sequence[str], place: str) -> tuple[str, ...]:
    """Finds the columns that a user names in a header.

    >>> find_columns(["uid", "Book", "stars"], ["user=uid", "item=Book"], "books.csv:1")
    ('user', 'item', 'stars')

    Args:
        fields: the header.
        columns: as in `user=User-ID`.
        place: what an error begins with.

    Raises:
        InputError: if a name is not there, or more than once.
    """
    found = [_other(field) for field in fields]
    for column, _, name in (column.partition("=") for column in columns):
        at = [i for i, field in enumerate(fields) if _unquoted(field) == name.strip()]
        at = at or [i for i, field in enumerate(fields) if _plain(field) == _plain(name)]
        if len(at) != 1:
            raise InputError(
                f"{place}: the number of columns {name!r} is {len(at)} in the header "
                f"{', '.join(fields)[:80]!r}; expected one, by data.columns."
            )
        found[at[0]] = column
    return tuple(found)


def is_like_header(fields: Sequence[str], second: Sequence[str], has_ratings: bool) -> bool:
    """Tells whether a first row whose names are unknown is probably a header.

    It has no numbers, and the row after it has: a rating at least, and of pairs nothing else.
    """
    numbers = [is_finite(field) for field in second]
    follows = any(numbers) if has_ratings else bool(numbers) and all(numbers)
    return follows and not any(map(_is_number, fields))


def suggest_columns(fields: Sequence[str], second: Sequence[str]) -> str:
    """Writes the setting that names the columns of a header; where they are unknown, a guess.

    >>> suggest_columns(["userId", "game", "Hours"], ["7", "doom", "3.5"])
    '--config.data.columns=user=userId,item=game,rating=Hours'
    """
    named = name_columns(fields)
    names = {c: f for f, c in reversed(list(zip(fields, named, strict=True))) if c in COLUMNS}
    left = [i for i, column in enumerate(named) if column not in COLUMNS]
    numbers = [i for i in left if i < len(second) and is_finite(second[i])]
    unnamed = [column for column in ("user", "item") if column not in names]
    if "rating" not in names and numbers and len(left) > len(unnamed):
        names["rating"] = fields[numbers[-1]]
        left.remove(numbers[-1])
    for column in unnamed:
        names[column] = fields[left.pop(0)] if left else "NAME"
    if left:
        names.setdefault("rating", "NAME")
    chosen = [f"{c}={_unquoted(names[c])}" for c in COLUMNS if c in names]
    return shlex.quote(f"--config.data.columns={','.join(chosen)}")


def is_finite(text: str) -> bool:
    """Tells whether a text is a number within float32."""
    return _is_number(text) and abs(float(text)) <= _LARGEST


def _is_number(text: str) -> bool:
    """Tells whether a text is a number, infinity and NaN too."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # which Python allows between digits


def _unquoted(field: str) -> str:
    """Takes quotes off, which between tabs have no meaning and stand there all the same."""
    return field.strip().strip('"')


def _plain(field: str) -> str:
    """Leaves the letters and digits of a name, in lower case, without its type: user_id:token."""
    return "".join(c for c in _unquoted(field).partition(":")[0].lower() if c.isalnum())


def _other(field: str) -> str:
    """Names a column that is not read, apart from those that are."""
    return f"({field})" if field in COLUMNS else field
