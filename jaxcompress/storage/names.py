"""Names of rows: packed into an array, checked, looked up, and kept in a text file.

A name is one line of text: the word of a vector, the id of a user or of an item. Bytes that are
not UTF-8 survive a round trip through all of these.
"""

import functools
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxcompress.errors import InputError
from jaxcompress.storage.ids import check_ids


def pack_names(names: Iterable[str]) -> np.ndarray:
    """Packs names into an array: uint8 [bytes], one line of UTF-8 for each.

    >>> unpack_names(pack_names(["man", "king"]))
    ['man', 'king']

    Raises:
        InputError: if a name is not of one line.
    """
    names = list(names)
    text = "".join(f"{name}\n" for name in names)
    if text.count("\n") != len(names):  # of a list that was changed after it was checked
        check_names(names, len(names), "name")
    return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8)


def unpack_names(packed: np.ndarray) -> list[str]:
    """Undoes `pack_names`."""
    return packed.tobytes().decode("utf-8", "surrogateescape").split("\n")[:-1]


class PackedNames(Sequence[str]):
    """Names as a file holds them, unpacked when one of them is first asked for.

    They are compressed by zlib, in the order of their rows. Of 400,000 words of GloVe's kind that
    leaves 55 %; front coding of the sorted words, with their order, would leave 49 % and take four
    times as long to unpack.

    >>> names = PackedNames.pack(["man", "king"])
    >>> len(names), names[1], names == ["man", "king"]
    (2, 'king', True)

    Attributes:
        packed: uint8 [bytes], what `pack_names` gives, compressed.
    """

    def __init__(self, packed: np.ndarray, count: int):
        self.packed, self._count = packed, count

    @classmethod
    def pack(cls, names: Sequence[str]) -> "PackedNames":
        """Packs names; those that are packed stay as they are."""
        if isinstance(names, PackedNames):
            return names
        return cls(np.frombuffer(zlib.compress(pack_names(names).tobytes()), np.uint8), len(names))

    @functools.cached_property
    def _names(self) -> list[str]:
        names = unpack_names(np.frombuffer(zlib.decompress(self.packed.tobytes()), np.uint8))
        if len(names) != self._count:  # of a file that was not damaged, but wrong from the start
            raise InputError(f"{len(names)} names and {self._count} rows; expected equal numbers.")
        return names

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return self._names[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedNames) and np.array_equal(self.packed, other.packed):
            return self._count == other._count
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return False
        return self._names == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._names)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: the packed names alone."""
        return {"packed": self.packed, "_count": self._count}


def check_names(names: Sequence[str], num_rows: int, noun: str = "word") -> None:
    """Checks that there is one string of one line for each row.

    Args:
        names: the names.
        num_rows: how many there must be.
        noun: what an error calls one of them.

    Raises:
        InputError: if there is not.
    """
    if isinstance(names, (str, bytes)):  # whose letters would be names
        raise InputError(f"{noun}s are one string, {names[:40]!r}; expected a list of strings.")
    if len(names) != num_rows:
        raise InputError(f"{len(names)} {noun}s and {num_rows} rows; expected equal numbers.")
    if isinstance(names, PackedNames):  # a file has had one line for each
        return
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"{noun} {name!r} has type {type(name).__name__}; expected a string.")
        if "\n" in name:
            raise InputError(
                f"{noun} {name!r} contains a line break; files hold one {noun} per line."
            )


def extend_names(names: Sequence[str] | None, new: Sequence[str] | None) -> list[str] | None:
    """Joins the names of rows and of new rows below them, both checked; None if neither have any.

    Raises:
        InputError: if only one of the two has names, or a new name is taken.
    """
    if (new is None) != (names is None):
        raise InputError(
            f"the rows of the table have {'no ' if names is None else ''}names; give "
            f"{'words=None' if names is None else 'a word for each row'}."
        )
    if new is None or names is None:
        return None
    taken = set(names)
    for name in new:
        if name in taken:
            raise InputError(f"word {name!r} would name two rows; leave it out.")
        taken.add(name)
    return [*names, *new]


def number_rows(names: Iterable[str]) -> dict[str, int]:
    """Numbers rows by their names; of rows with the same name, the first one counts.

    >>> number_rows(["the", "of", "the"])
    {'the': 0, 'of': 1}
    """
    ids: dict[str, int] = {}
    for i, name in enumerate(names):
        ids.setdefault(name, i)
    return ids


def find_row(name: Any, ids: Mapping[str, int] | None, num_rows: int) -> int:
    """Finds the number of a row by its name, or checks a number.

    Args:
        name: a name, or a number, also as a string if rows have no names.
        ids: numbers by name; None if rows have no names.
        num_rows: numbers are below it.

    Raises:
        KeyError: if there is no such row.
    """
    if ids is not None and isinstance(name, str):
        if name not in ids:
            raise KeyError(f"no row is named {name!r}")
        return ids[name]
    try:
        number = check_ids(_parse_number(name) if isinstance(name, str) else name, num_rows)
    except (InputError, IndexError):
        number = None
    if number is None or number.ndim:
        there = f"rows are 0 to {num_rows - 1}" if num_rows else "there are no rows"
        raise KeyError(f"no row {name!r}; {there}")
    return int(number)


def _parse_number(name: str) -> int:
    """Parses what `str` makes of a row's number; -1, which is no row, for any other text."""
    is_number = name.isascii() and name.isdigit() and len(name) < 20
    return int(name) if is_number and str(int(name)) == name else -1


def is_one_row(row: Any) -> bool:
    """Tells a row's name or number from several of them, and from a vector.

    >>> [is_one_row(row) for row in ("w4", 4, np.int64(4), ["w4"], np.zeros(3))]
    [True, True, True, False, False]
    """
    if isinstance(row, (str, bytes)):  # bytes name no row, and are not several numbers either
        return True
    return not isinstance(row, Iterable) or getattr(row, "ndim", 1) == 0


def read_names(file: Path) -> list[str]:
    r"""Reads one name per line; line ends of Windows are taken off.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "table.words.txt"
    >>> write_names(file, ["New York", "caf\udce9"])  # a byte that is not UTF-8 stays as it is
    >>> file.read_bytes(), read_names(file)
    (b'New York\ncaf\xe9\n', ['New York', 'caf\udce9'])
    """
    text = file.read_bytes().decode("utf-8", errors="surrogateescape")
    names = [name.removesuffix("\r") for name in text.split("\n")]
    return names[:-1] if names and not names[-1] else names


def write_names(file: Path, names: Iterable[str]) -> None:
    """Writes one name per line, in the form that `read_names` reads."""
    with open(file, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        stream.writelines(name + "\n" for name in names)
