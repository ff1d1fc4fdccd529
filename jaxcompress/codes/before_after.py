"""Neighbours of words before and after compression, and the section of a page that shows them.

Axis letters: N rows, D dimensions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxcompress.compressed.neighbours import unit_rows
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.engine.page.page import Section, Table, Word
from jaxcompress.engine.page.text import short
from jaxcompress.storage.ids import largest_ids

_CHUNK = 8192  # rows that are float32 at a time
_LONGEST = 24  # letters of a word that are shown


class Neighbours(NamedTuple):
    """What is near a word, before and after.

    Attributes:
        word: the word.
        original: the nearest other words by the vectors, each with its cosine, the nearest first.
        decoded: the same by the compressed table.
    """

    word: str
    original: list[tuple[str, float]]
    decoded: list[tuple[str, float]]


def compare_neighbours(
    rows: np.ndarray, table: CompressedTable, words: Sequence[str], count: int
) -> list[Neighbours]:
    """Finds the nearest words of some words, before and after compression.

    Args:
        rows: float [N, D], the original vectors.
        table: the same rows, compressed.
        words: words of the table.
        count: number of neighbours of each.
    """
    originals = nearest_rows(rows, [table.id_of(word) for word in words], count)
    return [
        Neighbours(
            word,
            [(table.word_of(i), cosine) for i, cosine in original],
            table.nearest(word, count),
        )
        for word, original in zip(words, originals, strict=True)
    ]


def nearest_rows(rows: np.ndarray, ids: Sequence[int], count: int) -> list[list[tuple[int, float]]]:
    """Finds the other rows of largest cosine with each of the rows `ids`, by chunks of the table.

    >>> rows = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]], np.float32)
    >>> [[(i, round(cosine, 4)) for i, cosine in found] for found in nearest_rows(rows, [2], 2)]
    [[(1, 0.8), (0, 0.6)]]

    Args:
        rows: float [N, D].
        ids: numbers of rows.
        count: number of neighbours of each, N - 1 at most.

    Returns:
        For each of `ids`, numbers of rows and cosines, the nearest first.
    """
    queries = unit_rows(np.asarray(rows[ids], np.float32))
    cosines = np.empty((len(rows), len(ids)), np.float32)
    for start in range(0, len(rows), _CHUNK):
        chunk = np.asarray(rows[start : start + _CHUNK], np.float32)
        cosines[start : start + _CHUNK] = unit_rows(chunk) @ queries.T
    cosines[ids, range(len(ids))] = -np.inf
    best = [largest_ids(column, min(count, len(rows) - 1)) for column in cosines.T]
    return [[(int(i), float(cosines[i, q])) for i in found] for q, found in enumerate(best)]


def neighbours_section(
    rows: np.ndarray, table: CompressedTable, words: Sequence[str], count: int
) -> Section:
    """Makes the section of the neighbours of words, those that changed marked.

    The arguments are those of `compare_neighbours`.
    """
    lines = []
    for found in compare_neighbours(rows, table, words, count):
        before, after = ([word for word, _ in side] for side in (found.original, found.decoded))
        lines.append([
            short(found.word, _LONGEST),
            [Word(short(w, _LONGEST), "" if w in after else "lost") for w in before],
            [Word(short(w, _LONGEST), "" if w in before else "new") for w in after],
        ])  # fmt: skip
    return Section(
        "Neighbours before and after",
        "The nearest by cosine, the nearest first. Those that were lost are struck out, "
        "those that are new among them are coloured.",
        tables=[Table(["", "by the vectors", f"by the {table.kind}"], lines)],
    )
