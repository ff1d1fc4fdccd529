"""Labelled texts in CSV and TSV files: text and label, or label, title and description.

The first row is a header if all its fields are names of columns and no other row has its label. A
column that numbers the rows is not read. Without a header the columns are those that are given, or
else text and label, or AG News's label, title and description. A file is separated by tabs if its
name ends in .tsv.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxcompress.data.paths import inner_name
from jaxcompress.data.rows import Row, read_rows
from jaxcompress.errors import InputError

_TWO, _THREE = ("text", "label"), ("label", "title", "description")
_TEXTS = ({"text"}, {"title", "description"}, {"title", "text"})  # columns that make a text
_HEADERS = {  # names of a column in a header, in lower case without underscores and spaces
    "text": ("text", "review", "sentence", "content"),
    "label": ("label", "class", "classindex", "sentiment", "category"),
    "title": ("title",),
    "description": ("description",),
    "number": ("", "id", "idx", "index", "unnamed:0"),
}
_EXPECTED = (
    "expected text,label or AG News's label,title,description or label,title,content; a text with "
    "commas is put in quotes"
)
_READ = [sorted({"label", *texts}) for texts in _TEXTS]  # columns of a file, those not read apart
_MOST_NAMED = 20  # classes that an error lists
_LONGEST = 100  # characters of a label, at most


class _LabelledRows(NamedTuple):
    """The rows of a file without its header.

    Attributes:
        file: what was read.
        lines: the line on which each row starts.
        texts: their texts.
        labels: their labels.
        has_titles: whether it has titles too, as AG News, whose labels count from 1.
    """

    file: Path
    lines: list[int]
    texts: list[str]
    labels: list[str]
    has_titles: bool


def read_csv(
    files: dict[str, Path], columns: Sequence[str] = ()
) -> tuple[dict[str, tuple[list[str], list[int]]], tuple[str, ...]]:
    """Reads texts and their labels.

    If labels of files with titles count from 1, as AG News's do, label 1 is the class "0".

    Args:
        files: a CSV or TSV file for each split, "train" among them; plain, .gz, or in a .zip.
        columns: the columns of files without a header, in their order: "label" and "text", or a
            "title" with either; one of any other name is not read. (): they are told by the rows.

    Returns:
        Texts and labels by split, a label being the number of its class; and the classes, which are
        the labels of the training file: in numerical order if all are whole numbers, else in
        alphabetical order.

    Raises:
        InputError: if a file is not what was expected, or has a class that the training file
            lacks: with file and line.
    """
    given = _given_columns(columns)
    found = {split: _read(file, given) for split, file in files.items()}
    _check_first_row(found["train"])
    if _count_from_1(found):
        found = {split: _lowered(rows) for split, rows in found.items()}
    classes = _sorted_classes(set(found["train"].labels))
    number = {name: i for i, name in enumerate(classes)}
    splits = {}
    for split, rows in found.items():
        for line, label in zip(rows.lines, rows.labels, strict=True):
            if label not in number:
                shown = f"{rows.file}:{line}: label {label!r}"
                raise InputError(f"{shown} is not one of {_describe(classes, found['train'])}")
        splits[split] = rows.texts, [number[label] for label in rows.labels]
    return splits, classes


def _describe(classes: tuple[str, ...], train: _LabelledRows) -> str:
    """Lists classes, and says so if they may be texts."""
    more = ", ..." if len(classes) > _MOST_NAMED else ""
    shown = f"the training file's {len(classes)} classes: {', '.join(classes[:_MOST_NAMED])}{more}."
    if len(classes) == len(train.labels) <= len(set(train.texts)):
        shown += " There each row has a label of its own: if labels stand first, add "
        shown += "--config.data.columns=label,text."
    return shown


def _count_from_1(found: dict[str, _LabelledRows]) -> bool:
    """Tells whether the labels of files with titles count from 1.

    Those of a training file without titles then count from 0: a 0 is among them.
    """
    labels = {label for rows in found.values() if rows.has_titles for label in rows.labels}
    if not labels or not all(_is_whole(label) and int(label) > 0 for label in labels):
        return False
    return found["train"].has_titles or "0" in found["train"].labels


def _lowered(rows: _LabelledRows) -> _LabelledRows:
    """Counts labels from 0 if there are titles."""
    if not rows.has_titles:
        return rows
    return rows._replace(labels=[str(int(label) - 1) for label in rows.labels])


def _given_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Checks columns that are given; those that are not read are named "number"."""
    found = tuple(_column_of(name) or "number" for name in columns)
    read = sorted(column for column in found if column != "number")
    if columns and read not in _READ:
        raise InputError(
            f"data.columns is {','.join(columns)}; expected label and text, or a title with either "
            "or with a description, each once and in the order of the file, as in label,text."
        )
    return found


def _read(file: Path, given: tuple[str, ...]) -> _LabelledRows:
    """Reads one file, with a header or without."""
    is_tsv = inner_name(file).lower().endswith(".tsv")
    rows = list(read_rows(file, "\t" if is_tsv else ","))
    if not rows:
        raise InputError(f"{file} is empty; {_EXPECTED}.")
    columns, has_header = _columns(file, rows, given)
    data = rows[1:] if has_header else rows
    if not data:
        raise InputError(f"{file}: no rows after the header; {_EXPECTED}.")
    is_guess = not has_header and not given
    if is_guess and columns == _TWO:
        _check_order(file, data)
    texts, labels = [], []
    for line, fields in data:
        text, label = _text_and_label(fields, columns, is_guess, f"{file}:{line}")
        texts.append(text)
        labels.append(label)
    return _LabelledRows(file, [line for line, _ in data], texts, labels, "title" in columns)


def _check_order(file: Path, rows: list[Row]) -> None:
    """Refuses text and label without a header if there are more labels than texts, of which two."""
    first, second = (len({row.fields[i] for row in rows if len(row.fields) == 2}) for i in (0, 1))
    if 2 <= first < second:
        raise InputError(
            f"{file}:{rows[0].line}: of its two columns the first has {first:,} different values "
            f"and the second {second:,}, so the label seems to come first; add "
            "--config.data.columns=label,text, or text,label if it does not."
        )


def _check_first_row(train: _LabelledRows) -> None:
    """Refuses a first row that is probably a header: its label is unique, and no other label is."""
    first, *others = Counter(train.labels).values()
    if train.lines[0] == 1 and first == 1 and others and min(others) > 1:
        raise InputError(
            f"{train.file}:1: the only row with label {train.labels[0]!r}, so it looks like a "
            "header; name its columns as in text,label or label,title,description, or remove it."
        )


def _text_and_label(
    fields: list[str], columns: tuple[str, ...], is_guess: bool, place: str
) -> tuple[str, str]:
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
    if is_guess and columns == _THREE and not (_is_whole(label) and int(label) >= 0):
        raise InputError(
            f"{place}: label {label!r} of a row of three columns is not a whole number from 0 up; "
            "say what the columns are, as in --config.data.columns=label,title,description."
        )
    return " ".join(row[c] for c in ("title", "description", "text") if c in row), label


def _columns(file: Path, rows: list[Row], given: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Tells what the columns are, and whether the first row is a header that says so."""
    line, first = rows[0]
    named = [_column_of(field) for field in first]
    read = sorted(column or "" for column in named if column != "number")
    is_header = read in _READ
    usual = given or {len(columns): columns for columns in (_TWO, _THREE)}.get(len(first))
    if usual is None and not is_header:
        hint = "; a file separated by tabs is named .tsv" if "\t" in first[0] else ""
        raise InputError(
            f"{file}:{line}: the number of columns is {len(first)}; {_EXPECTED}{hint}."
        )
    at = named.index("label") if is_header else usual.index("label")
    others = {fields[at].strip() for _, fields in rows[1:] if len(fields) == len(first)}
    if usual and at < len(first) and first[at].strip() in others:
        return usual, False
    if is_header:
        return tuple(named), True
    if given:
        return given, False
    numbers_follow = bool(others) and all(map(_is_whole, others))
    if any(read) or (numbers_follow and not _is_whole(first[at].strip())):
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
