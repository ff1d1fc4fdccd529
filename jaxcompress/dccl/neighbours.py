"""Compresses a table of vectors to codes: `python -m train.dccl --config configs/quickstart.py`.

`--mode sweep` measures what sizes of codes take and give, on a sample of the rows.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes its files anew. The same command again goes on with a run, or finds it finished.
"""

from typing import Any

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.neighbours import unit_rows
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.engine.report import format_figures, say
from jaxcompress.storage.ids import largest_ids


def show(
    summary: dict[str, Any], codes: Codes, vectors: Vectors, sample_words: tuple[str, ...]
) -> None:
    """Prints the table, and the codes and neighbours of sample words before and after."""
    say("\n" + format_figures(summary))
    present = [word for word in sample_words if word in codes]
    absent = [word for word in sample_words if word not in codes]
    if present:
        say("\ncodes and nearest neighbours (cosine): by the original vectors, by the codes")
        before = nearest_rows(vectors.rows, [codes.id_of(word) for word in present], 6)
        for word, neighbours in zip(present, before, strict=True):
            say(f"{word}\t{' '.join(map(str, codes.codes[codes.id_of(word)]))}")
            say("  original  " + _list((codes.word_of(i), cosine) for i, cosine in neighbours))
            say("  codes     " + _list(codes.nearest(word, 6)))
    if absent:
        say(f"sample words that are not in the table: {', '.join(absent)}")


def _list(neighbours: Any) -> str:
    text = ", ".join(f"{word} {cosine:.2f}" for word, cosine in neighbours)
    return text.encode("utf-8", "replace").decode()


def nearest_rows(rows: np.ndarray, ids: list[int], count: int) -> list[list[tuple[int, float]]]:
    """Finds the rows of largest cosine with each of the rows `ids`, in chunks of the table."""
    queries = unit_rows(np.asarray(rows[ids], np.float32))
    cosines = np.empty((len(rows), len(ids)), np.float32)
    for start in range(0, len(rows), 8192):
        chunk = np.asarray(rows[start : start + 8192], np.float32)
        cosines[start : start + 8192] = unit_rows(chunk) @ queries.T
    cosines[ids, range(len(ids))] = -np.inf
    best = [largest_ids(column, min(count, len(rows) - 1)) for column in cosines.T]
    return [[(int(i), float(cosines[i, q])) for i in found] for q, found in enumerate(best)]
