"""Labelled texts in CSV files: text and label, or AG News's label, title and description.

Fields are quoted as in RFC 4180: inside quotes there may be commas, line ends and doubled quotes.
The first row is a header if all its fields are names of columns and no other row has its label.
Without a header the columns are in the order given here.
"""

import csv
import io
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from jaxcompress.data.paths import open_binary
from jaxcompress.errors import InputError

_TWO, _THREE = ("text", "label"), ("label", "title", "description")
_HEADERS = {  # names of a column in a header, in lower case without underscores and spaces
    "text": ("text", "review", "sentence", "content"),
    "label": ("label", "class", "classindex", "sentiment", "category"),
    "title": ("title",),
    "description": ("description",),
}
_EXPECTED = (
    "expected text,label or AG News's label,title,description; a text with commas is put in quotes"
)
_MOST_NAMED = 20  # classes that an error lists
_LONGEST = 100  # characters of a label, at most


class _Row(NamedTuple):
    """A row of a file, and the line on which it starts."""

    line: int
    fields: list[str]


class _LabelledRows(NamedTuple):
    """The rows of a file without its header: on which line each starts, its text, its label."""

    file: Path
    lines: list[int]
    texts: list[str]
    labels: list[str]


def read_csv(
    files: dict[str, Path],
) -> tuple[dict[str, tuple[list[str], list[int]]], tuple[str, ...]]:
    """Reads texts and their labels.

    AG News's labels count from 1; label 1 is the class "0".

    Args:
        files: a CSV file for each split, "train" among them; plain, .gz, or in a .zip.

    Returns:
        Texts and labels by split, a label being the number of its class; and the classes, which are
        the labels of the training file: in numerical order if all are whole numbers, else in
        alphabetical order.

    Raises:
        InputError: if a file is not what was expected, or has a class that the training file
            lacks: with file and line.
    """
    found = {split: _read(file) for split, file in files.items()}
    _check_first_row(found["train"])
    classes = _sorted_classes(set(found["train"].labels))
    number = {name: i for i, name in enumerate(classes)}
    splits = {}
    for split, rows in found.items():
        for line, label in zip(rows.lines, rows.labels, strict=True):
            if label not in number:
                more = ", ..." if len(classes) > _MOST_NAMED else ""
                raise InputError(
                    f"{rows.file}:{line}: label {label!r} is not one of the training file's "
                    f"{len(classes)} classes: {', '.join(classes[:_MOST_NAMED])}{more}."
                )
        splits[split] = rows.texts, [number[label] for label in rows.labels]
    return splits, classes


def _read(file: Path) -> _LabelledRows:
    """Reads one file, with a header or without."""
    rows = _rows(file)
    if not rows:
        raise InputError(f"{file} is empty; {_EXPECTED}.")
    columns, has_header = _columns(file, rows)
    data = rows[1:] if has_header else rows
    if not data:
        raise InputError(f"{file}: no rows after the header; {_EXPECTED}.")
    texts, labels = [], []
    for line, fields in data:
        text, label = _text_and_label(fields, columns, f"{file}:{line}")
        texts.append(text)
        labels.append(label)
    return _LabelledRows(file, [line for line, _ in data], texts, labels)


def _check_first_row(train: _LabelledRows) -> None:
    """Refuses a first row that is probably a header: its label is unique, and no other label is."""
    first, *others = Counter(train.labels).values()
    if train.lines[0] == 1 and first == 1 and others and min(others) > 1:
        raise InputError(
            f"{train.file}:1: the only row with label {train.labels[0]!r}, so it looks like a "
            "header; name its columns as in text,label or label,title,description, or remove it."
        )


def _text_and_label(fields: list[str], columns: tuple[str, ...], place: str) -> tuple[str, str]:
    """Takes text and label out of a row; an error begins with `place`."""
    if len(fields) != len(columns):
        raise InputError(
            f"{place}: the number of columns is {len(fields)}; expected {len(columns)}, "
            f"{','.join(columns)}; a text with commas is put in quotes."
        )
    row = dict(zip(columns, fields, strict=True))
    label = row["label"].strip()
    if not label:
        raise InputError(f"{place}: the label is empty; {_EXPECTED}.")
    if len(label) > _LONGEST or not label.isprintable():
        raise InputError(f"{place}: label {label[:60]!r} looks like a text; {_EXPECTED}.")
    if "text" in row:
        return row["text"], label
    if not _is_whole(label) or int(label) < 1:
        raise InputError(
            f"{place}: label {label!r} of a row of three columns is not a whole number from 1 up; "
            f"{_EXPECTED}."
        )
    return f"{row['title']} {row['description']}", str(int(label) - 1)


def _rows(file: Path) -> list[_Row]:
    """Reads all rows but blank lines."""
    with open_binary(file) as stream:
        raw = stream.read()
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{file}:{line}: byte {error.start} is not UTF-8; expected text in UTF-8."
        ) from None
    rows, start = [], 1
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        for fields in reader:
            if fields:
                rows.append(_Row(start, fields))
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{file}:{start}: not CSV ({error}); {_EXPECTED}.") from None
    finally:
        csv.field_size_limit(limit)
    return rows


def _columns(file: Path, rows: list[_Row]) -> tuple[tuple[str, ...], bool]:
    """Tells what the columns are, and whether the first row is a header that says so."""
    line, first = rows[0]
    named = [_column_of(field) for field in first]
    usual = {len(columns): columns for columns in (_TWO, _THREE)}.get(len(first))
    if usual is None:
        raise InputError(f"{file}:{line}: the number of columns is {len(first)}; {_EXPECTED}.")
    is_header = set(named) == set(usual)
    at = named.index("label") if is_header else usual.index("label")
    others = {fields[at].strip() for _, fields in rows[1:] if len(fields) == len(first)}
    if first[at].strip() in others:
        return usual, False
    if is_header:
        return tuple(named), True
    numbers_follow = bool(others) and all(map(_is_whole, others))
    if any(named) or (numbers_follow and not _is_whole(first[at].strip())):
        raise InputError(
            f"{file}:{line}: {','.join(first)[:80]!r} looks like a header, but of other columns; "
            f"{_EXPECTED}."
        )
    return usual, False


def _column_of(field: str) -> str | None:
    """Finds the column that a field of a header names; None if it names none."""
    plain = field.lower().replace("_", "").replace(" ", "")
    return next((column for column, names in _HEADERS.items() if plain in names), None)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 19


def _sorted_classes(labels: set[str]) -> tuple[str, ...]:
    if all(map(_is_whole, labels)):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))
