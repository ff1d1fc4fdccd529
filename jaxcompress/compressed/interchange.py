"""Decoded rows for other programs: word2vec's text, and KeyedVectors of gensim.

Axis letters: N rows, D dimensions.
"""

import os
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import number_rows


def write_word2vec(
    path: str | os.PathLike,
    shape: tuple[int, int],
    words: Iterable[str],
    chunks: Iterable[np.ndarray],
) -> None:
    """Writes rows as word2vec text; see `CompressedTable.to_word2vec`.

    Args:
        path: the file.
        shape: N and D.
        words: the N names of the rows.
        chunks: float32 [at most N, D] each, N rows altogether.
    """
    each_word, line = iter(words), "%s" + " %.9g" * shape[1] + "\n"
    with (
        atomic_write(path) as partial,
        open(partial, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream,
    ):
        stream.write(f"{shape[0]} {shape[1]}\n")
        for rows in chunks:
            for row in rows.tolist():
                word = re.sub(r"\s", "_", next(each_word)) or "_"
                stream.write(line % (word, *row))


def keyed_vectors(words: Iterable[str], rows: np.ndarray) -> Any:
    """Makes `gensim.models.KeyedVectors` of rows; see `CompressedTable.to_keyed_vectors`.

    Args:
        words: the N names of the rows.
        rows: float32 [N, D].

    Raises:
        InputError: if gensim cannot be imported.
    """
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise InputError(
            f'gensim cannot be imported ({error}); install it: pip install "jaxcompress[gensim]"'
        ) from None
    made = KeyedVectors(rows.shape[1], dtype=np.float32)
    first = number_rows(words)  # gensim would find the last row of a name
    made.add_vectors(list(first), rows[list(first.values())])
    return made
