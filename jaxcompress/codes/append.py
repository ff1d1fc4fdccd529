"""New rows for a table of codes, whose codebooks stay as they are.

Axis letters: B new rows, D dimensions.
"""

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxcompress.data.vectors.arrays import take_rows, take_words
from jaxcompress.errors import InputError
from jaxcompress.storage.names import extend_names

if TYPE_CHECKING:
    from jaxcompress.codes.artefact import Codes


class Appended(NamedTuple):
    """A table with rows added to it, as `Codes.append` returns it.

    Attributes:
        codes: the table with the new rows at its end.
        mean_squared_l2: mean squared error of the new rows.
        old_mean_squared_l2: mean squared error of the old rows, as it was when they were
            compressed; None if the artefact does not say.
    """

    codes: "Codes"
    mean_squared_l2: float
    old_mean_squared_l2: float | None

    @property
    def ratio(self) -> float | None:
        """Error of the new rows over that of the old rows; None if that is not known."""
        if self.old_mean_squared_l2 is None:
            return None
        return self.mean_squared_l2 / self.old_mean_squared_l2


def append(table: "Codes", words: Any, vectors: Any, **search: Any) -> Appended:
    """Adds rows to a table; see `Codes.append`.

    Args:
        table: the table.
        words: names of the new rows; None: those that the vectors bring, if any.
        vectors: float [B, D], as `compress` takes them.
        **search: `num_rounds` and `seed` of `Codes.encode`.

    Raises:
        InputError: if words or vectors do not fit the table.
    """
    rows, own_words = take_rows(vectors, table.dim)
    if not len(rows):
        raise InputError("vectors have no rows; expected one or more to append.")
    if words is None and table.words is not None:
        words = own_words
    all_words = extend_names(table.words, take_words(words, len(rows)))
    codes = table.encode(rows, **search)
    decoded = dataclasses.replace(table, codes=codes, words=None).decode()
    squared = np.square(decoded - np.asarray(rows, np.float32)).sum(axis=1)
    new, old = float(squared.mean(dtype=np.float64)), table.metadata.get("mean_squared_l2")
    metadata = dict(table.metadata)
    if old is not None:
        mean = (float(old) * len(table) + new * len(rows)) / (len(table) + len(rows))
        metadata["mean_squared_l2"] = repr(mean)
    longer = dataclasses.replace(
        table, codes=np.concatenate([table.codes, codes]), words=all_words, metadata=metadata
    )
    return Appended(longer, new, None if old is None else float(old))
