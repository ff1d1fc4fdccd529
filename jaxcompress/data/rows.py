"""Rows of delimited text: fields between separators, with the line on which each row starts.

Quotes have a meaning between commas and semicolons alone: there, inside quotes, may be separators,
line ends and doubled quotes, as in RFC 4180. Between tabs, a quote is a character like any other.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from jaxcompress.data.text_files import decode, open_text
from jaxcompress.errors import InputError

_QUOTING = (",", ";")
_LONGEST = 2**31 - 1  # characters of a field


class Row(NamedTuple):
    """Fields, and the line on which they start, from 1."""

    line: int
    fields: list[str]


def has_quotes(separator: str) -> bool:
    """Tells whether quotes have a meaning between such separators."""
    return separator in _QUOTING


def read_rows(file: Path, separator: str) -> Iterator[Row]:
    """Reads the rows of a file of UTF-8, one by one, as `split_rows` splits them.

    Raises:
        InputError: if the file cannot be read, is not UTF-8, or its quotes are wrong: with file
            and line.
    """
    with open_text(file) as stream:
        lines = (decode(line, file, number) for number, line in enumerate(stream, 1))
        yield from split_rows(lines, separator, file)


def split_rows(lines: Iterable[str], separator: str, file: Path) -> Iterator[Row]:
    r"""Splits lines into rows; blank lines are passed over.

    >>> list(split_rows(['1,"a\n', 'b"\n', '2,c\n'], ",", Path("a.csv")))
    [Row(line=1, fields=['1', 'a\nb']), Row(line=3, fields=['2', 'c'])]
    >>> list(split_rows(['1\t"a\n'], "\t", Path("a.tsv")))
    [Row(line=1, fields=['1', '"a'])]

    Args:
        lines: ending in "\n", as in `text_files`.
        separator: what stands between fields.
        file: what an error names.

    Raises:
        InputError: if quotes are not as in RFC 4180: with the line on which the row starts.
    """
    if has_quotes(separator):
        yield from _split_quoted(lines, separator, file)
        return
    for number, line in enumerate(lines, 1):
        if text := line.removesuffix("\n"):
            yield Row(number, text.split(separator))


def _split_quoted(lines: Iterable[str], separator: str, file: Path) -> Iterator[Row]:
    reader, start = csv.reader(lines, delimiter=separator, strict=True), 1
    while True:
        limit = csv.field_size_limit(_LONGEST)  # of the whole process, so it is put back at once
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{file}:{start}: not CSV ({error}); expected quotes to be closed, and those "
                "inside of quotes to be doubled."
            ) from None
        finally:
            csv.field_size_limit(limit)
        if fields is None:
            return
        if fields:
            yield Row(start, fields)
        start = reader.line_num + 1
