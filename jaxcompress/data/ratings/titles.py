"""What items are called: the titles and genres of MovieLens's films."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jaxcompress.data.rows import Row, read_rows, split_rows
from jaxcompress.data.text_files import open_text
from jaxcompress.errors import InputError

_GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip


class Title(NamedTuple):
    """An item's name and its genres."""

    name: str
    genres: tuple[str, ...]


def read_titles(source: str) -> dict[str, Title]:
    """Reads the titles that lie beside ratings, by the item's id; {} if there is no such file.

    The file is `movies.dat` of MovieLens 1M and 10M, `movies.csv` of 20M and later, or `u.item` of
    100k.

    Args:
        source: a file of ratings or its folder, as `Ratings.source` gives it.

    Raises:
        InputError: if a line is not what was expected: with file and line.
    """
    folder = Path(source)
    folder = folder if folder.is_dir() else folder.parent
    readers = {"movies.dat": _read_dat, "movies.csv": _read_csv, "u.item": _read_item}
    for name, read in readers.items():
        file = folder / name
        if file.is_file():
            return dict(read(file))
    return {}


def _read_dat(file: Path) -> Iterator[tuple[str, Title]]:
    for line, fields in _read_older(file, "::"):
        _check_columns(fields, 3, f"{file}:{line}", "id::title::genre|genre")
        yield fields[0], Title(fields[1], tuple(fields[2].split("|")))


def _read_csv(file: Path) -> Iterator[tuple[str, Title]]:
    for line, fields in itertools.islice(read_rows(file, ","), 1, None):
        _check_columns(fields, 3, f"{file}:{line}", "movieId,title,genre|genre")
        yield fields[0], Title(fields[1], tuple(fields[2].split("|")))


def _read_item(file: Path) -> Iterator[tuple[str, Title]]:
    for line, fields in _read_older(file, "|"):
        _check_columns(fields, 5 + len(_GENRES_100K), f"{file}:{line}", "separated by '|'")
        marked = zip(_GENRES_100K, fields[5:], strict=True)
        yield fields[0], Title(fields[1], tuple(g for g, flag in marked if flag == "1"))


def _read_older(file: Path, separator: str) -> Iterator[Row]:
    """Reads the rows of a file in Latin-1, as 100k and 1M are, or in UTF-8, as 10M is."""
    with open_text(file) as stream:
        raw = stream.read()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return split_rows(text.split("\n"), separator, file)


def _check_columns(fields: list[str], count: int, place: str, shown: str) -> None:
    if len(fields) != count:
        raise InputError(
            f"{place}: the number of columns is {len(fields)}; expected {count}, {shown}."
        )
