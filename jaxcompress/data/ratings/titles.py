"""What items are called: MovieLens's titles and genres."""

import csv
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
    """Reads the titles that lie beside ratings, by item id; none where there is no such file.

    `movies.dat` of MovieLens 1M and 10M, `movies.csv` of 20M and later, `u.item` of 100k.

    Raises:
        InputError: with file and line.
    """
    folder = Path(source)
    folder = folder if folder.is_dir() else folder.parent
    for name, read in (("movies.dat", _dat), ("movies.csv", _csv), ("u.item", _item)):
        file = folder / name
        if file.is_file():
            return dict(read(file))
    return {}


def _dat(file: Path):
    for number, line in enumerate(file.read_text(encoding="latin-1").splitlines(), 1):
        fields = line.split("::")
        if len(fields) != 3:
            raise InputError(f"{file}:{number}: expected id::title::genre|genre.")
        yield fields[0], Title(fields[1], tuple(fields[2].split("|")))


def _csv(file: Path):
    with open(file, encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        next(rows, None)
        for row in rows:
            if len(row) != 3:
                raise InputError(f"{file}:{rows.line_num}: expected movieId,title,genre|genre.")
            yield row[0], Title(row[1], tuple(row[2].split("|")))


def _item(file: Path):
    for number, line in enumerate(file.read_text(encoding="latin-1").splitlines(), 1):
        fields = line.split("|")
        if len(fields) != 5 + len(_GENRES_100K):
            raise InputError(f"{file}:{number}: expected 24 columns separated by '|'.")
        marked = zip(_GENRES_100K, fields[5:], strict=True)
        yield fields[0], Title(fields[1], tuple(g for g, flag in marked if flag == "1"))
