"""Sample words, with their codes and their neighbours in the table and in its codes.

Axis letters: N rows, D dimensions.
"""

from collections.abc import Sequence

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.before_after import compare_neighbours
from jaxcompress.engine.report import say

_NUM_NEIGHBOURS, _NUM_CODES = 6, 32  # that are shown of each word


def show_neighbours(rows: np.ndarray, codes: Codes, words: Sequence[str]) -> None:
    """Prints the codes and neighbours of those of some words that the table has.

    Args:
        rows: float [N, D], the original vectors.
        codes: codes of the same rows.
        words: any words.
    """
    present = [word for word in words if word in codes]
    absent = [word for word in words if word not in codes]
    if present:
        say("\ncodes and nearest neighbours (cosine): by the original vectors, by the codes")
    for found in compare_neighbours(rows, codes, present, _NUM_NEIGHBOURS) if present else ():
        row = codes.codes[codes.id_of(found.word)]
        more = " ..." if len(row) > _NUM_CODES else ""
        say(f"{found.word}\t{' '.join(map(str, row[:_NUM_CODES]))}{more}")
        say(f"  original  {_list(found.original)}")
        say(f"  codes     {_list(found.decoded)}")
    if absent:
        say(f"sample words that are not in the table: {', '.join(absent)}")


def _list(neighbours: Sequence[tuple[str, float]]) -> str:
    text = ", ".join(f"{word} {cosine:.2f}" for word, cosine in neighbours)
    return text.encode("utf-8", "replace").decode()
