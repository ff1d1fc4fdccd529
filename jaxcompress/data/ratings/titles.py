"""What items are called: the titles and genres of MovieLens's films."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
    for number, line in enumerate(file.read_text(encoding="latin-1").splitlines(), 1):
        fields = line.split("::")
        if len(fields) != 3:
            raise InputError(
                f"{file}:{number}: the number of columns is {len(fields)}; expected 3, "
                "id::title::genre|genre."
            )
        yield fields[0], Title(fields[1], tuple(fields[2].split("|")))


def _read_csv(file: Path) -> Iterator[tuple[str, Title]]:
    with open(file, encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        next(rows, None)
        for row in rows:
            if len(row) != 3:
                raise InputError(
                    f"{file}:{rows.line_num}: the number of columns is {len(row)}; expected 3, "
                    "movieId,title,genre|genre."
                )
            yield row[0], Title(row[1], tuple(row[2].split("|")))


def _read_item(file: Path) -> Iterator[tuple[str, Title]]:
    for number, line in enumerate(file.read_text(encoding="latin-1").splitlines(), 1):
        fields = line.split("|")
        if len(fields) != 5 + len(_GENRES_100K):
            raise InputError(
                f"{file}:{number}: the number of columns is {len(fields)}; expected 24, separated "
                "by '|'."
            )
        marked = zip(_GENRES_100K, fields[5:], strict=True)
        yield fields[0], Title(fields[1], tuple(g for g, flag in marked if flag == "1"))
