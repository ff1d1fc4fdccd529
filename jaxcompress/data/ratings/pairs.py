"""Files of pairs of ids, which may hold commas and spaces themselves."""

from collections.abc import Iterator
from pathlib import Path

from jaxcompress.data.rows import Row, split_rows
from jaxcompress.data.text_files import read_text
from jaxcompress.errors import InputError

_SEPARATORS = ("\t", "::", ";", ",")  # the first that splits the first line in two is the file's


def read_pairs(file: Path) -> Iterator[Row]:
    """Reads two ids a line, separated by a tab, `::`, a semicolon, a comma, or else white space.

    Between commas and semicolons, ids may stand in quotes.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "pairs.csv"
    >>> _ = file.write_text('"Alien, Director\\'s Cut",Alien\\nUp;Up')
    >>> next(read_pairs(file)).fields
    ["Alien, Director's Cut", 'Alien']

    Raises:
        InputError: if a line holds no two ids: with file and line.
    """
    lines = [f"{line}\n" for line in read_text(file).split("\n")]  # a form feed ends no line
    first = next((line for line in lines if line.strip()), "")
    separators = (some for some in _SEPARATORS if _is_pair(first, some, file))
    separator = next(separators, None)
    if separator is None:
        rows = (Row(number, line.split()) for number, line in enumerate(lines, 1))
    else:
        rows = split_rows(lines, separator, file)
    for number, fields in rows:
        ids = [field.strip() for field in fields]
        if not any(ids):
            continue
        if len(ids) != 2 or not all(ids):
            shown = (separator or " ").join(fields)[:60]
            raise InputError(
                f"{file}:{number}: {shown!r}; expected two ids, in the whole file separated by a "
                "tab, '::', ';', ',' or white space, and in quotes if they hold a ';' or ',' that "
                "separates."
            )
        yield Row(number, ids)


def _is_pair(line: str, separator: str, file: Path) -> bool:
    try:
        return len(next(split_rows([line], separator, file), Row(1, [])).fields) == 2
    except InputError:  # of quotes that are none
        return False
