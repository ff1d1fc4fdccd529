"""Codes as KeyedVectors of gensim, which hold the decoded table."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxcompress.errors import InputError
from jaxcompress.storage.names import number_rows


def keyed_vectors(words: Iterable[str], rows: np.ndarray) -> Any:
    """Makes `gensim.models.KeyedVectors` of rows float32 [N, D]; see `Codes.to_keyed_vectors`.

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
