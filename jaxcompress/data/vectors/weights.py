"""Row weights: how much each row of a table counts, by its rank or from a file.

Axis letters: N rows of the table.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcompress.data.paths import find_file, inner_name
from jaxcompress.data.text_files import open_text
from jaxcompress.data.vectors.matrices import read_npy
from jaxcompress.errors import InputError

ZIPF = "zipf"

_FORMS = (
    f'Expected "{ZIPF}", a text file of a number (or a word and a number) a line, or an .npy file.'
)
_EXPECTED = "expected a finite number of at least 0"


class Weights(NamedTuple):
    """Weights of a table's rows.

    Attributes:
        values: float64 [N], finite, not negative, not all zero.
        notes: lines for the user about words without a weight and weights without a word.
    """

    values: np.ndarray
    notes: tuple[str, ...] = ()


def read_weights(source: str, num_rows: int, words: Sequence[str] | None) -> Weights:
    """Reads the weights of a table's rows.

    >>> read_weights("zipf", 4, None).values
    array([1.        , 0.5       , 0.33333333, 0.25      ])

    Args:
        source: "zipf", which gives row r (from 1) the weight 1/r; an .npy file [N]; or text with a
            number a line, in the order of the rows, or a word and a number a line, in any order. A
            word that the file lacks gets the least weight in it. Files are plain, .gz, .bz2, .xz,
            or inside a .zip.
        num_rows: N.
        words: the names of the rows; None: they have none.

    Raises:
        InputError: if there is no such file or it does not weigh the rows: with file, line or row,
            and what was expected.
    """
    if source == ZIPF:
        return Weights(1.0 / np.arange(1, num_rows + 1))
    file = find_file(source, _FORMS)
    if inner_name(file).endswith(".npy"):
        values, notes = read_npy(file), ()
    else:
        values, notes = _read_text(file, words)
    return Weights(check_weights(values, num_rows, str(file)), notes)


def check_weights(values: np.ndarray, num_rows: int, source: str) -> np.ndarray:
    """Checks that weights [N] are finite, not negative and not all zero; float64 [N].

    >>> check_weights(np.array([3, 0]), 2, "my weights")
    array([3., 0.])

    Raises:
        InputError: if they are not, or not N; it begins with `source`.
    """
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise InputError(
            f"{source}: {values.dtype} of shape {list(values.shape)}; expected {num_rows} numbers."
        )
    if len(values) != num_rows:
        raise InputError(
            f"{source}: {len(values)} weights; expected {num_rows}, one for each row of the table "
            "as it was read, without duplicates and rows past data.max_rows."
        )
    values = values.astype(np.float64)
    is_valid = np.isfinite(values) & (values >= 0)
    if not is_valid.all():
        row = int(np.argmin(is_valid))
        raise InputError(f"{source}: row {row} (from 0) is {values[row]:g}; {_EXPECTED}.")
    if not values.any():
        raise InputError(f"{source}: the weights of all rows are 0; expected some above 0.")
    return values


def normalize_weights(values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Scales weights [N] so that their mean over the rows `ids` is 1: float32 [N].

    >>> normalize_weights(np.array([1.0, 3.0, 8.0]), np.array([0, 1]))
    array([0.5, 1.5, 4. ], dtype=float32)

    Raises:
        InputError: if the weights of all these rows are 0.
    """
    scaled = np.asarray(values, np.float64) / np.max(values)
    mean = scaled[ids].mean()
    if mean == 0:
        raise InputError(
            "the weights of all rows to train on are 0; give some of them a weight, or hold out "
            "fewer rows (data.valid_rows)."
        )
    return (scaled / mean).astype(np.float32)


def _read_text(file: Path, words: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads a number for each row, in order, or for each word, in any order; weights and notes."""
    lines = _lines(file)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{file}: holds no weights; expected a number a line.")
    lines = itertools.chain([first], lines)
    if not first[0]:
        return np.array([weight for _, weight in lines]), ()
    if words is None:
        raise InputError(
            f"{file}: gives weights by word, but the table's rows have no names; expected a number "
            "a line."
        )
    return _match(file, lines, words)


def _match(
    file: Path, lines: Iterable[tuple[str, float]], words: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Finds the weight of each of the table's words, without keeping those of other words."""
    wanted, found, least = set(words), {}, np.inf
    unknown = repeated = 0
    for word, weight in lines:
        least = min(least, weight)
        if word not in wanted:
            unknown += 1
        elif word in found:
            repeated += 1
        else:
            found[word] = weight
    if not found:
        raise InputError(f"{file}: none of its words is in the table; expected the table's words.")
    missing = len(wanted) - len(found)
    notes = (
        (missing, f"words without a weight in {file}: {missing}; each got the least, {least:g}."),
        (unknown, f"words of {file} that are not in the table: {unknown}; they were ignored."),
        (repeated, f"duplicate words in {file}: {repeated}; the first of each was kept."),
    )
    weights = np.array([found.get(word, least) for word in words])
    return weights, tuple(note for count, note in notes if count)


def _lines(file: Path) -> Iterator[tuple[str, float]]:
    """Yields (word, weight) of each line that is not blank; no words in a file of numbers alone.

    Either all lines have a word, or none has.
    """
    has_words = None
    with open_text(file) as stream:
        for number, line in enumerate(stream, 1):
            line = line.rstrip(b" \t\n")
            if not line:
                continue
            place = f"{file}, line {number}"
            cut = max(line.rfind(b" "), line.rfind(b"\t")) + 1
            word = line[:cut].rstrip(b" \t").decode("utf-8", errors="surrogateescape")
            if has_words is None:
                has_words = bool(word)
            elif has_words != bool(word):
                wanted = "a word and a number" if has_words else "a number alone"
                raise InputError(
                    f"{place}: the number of columns is {len(line.split())}; expected {wanted}, as "
                    "in the first line."
                )
            yield word, _weight(line[cut:], place)


def _weight(text: bytes, place: str) -> float:
    """Parses one weight; an error begins with `place`."""
    shown = repr(text[:40].decode("utf-8", errors="replace"))
    try:
        weight = float(text)
    except ValueError:
        raise InputError(f"{place}: {shown} is not a number; {_EXPECTED}.") from None
    if not 0 <= weight < float("inf"):
        raise InputError(f"{place}: the weight is {shown}; {_EXPECTED}.")
    return weight
