"""Rows that are found by a name, or by a number.

Axis letters: N rows.
"""

import abc
import functools
from collections.abc import Iterable, Sequence
from typing import Any

from jaxcompress.storage.names import find_row, number_rows


class NamedRows(abc.ABC):
    """What finds a row: its word, or its number, also as a string if rows have no words.

    Attributes:
        words: the N names of the rows; None if rows are named by their numbers.
    """

    words: Sequence[str] | None

    @property
    @abc.abstractmethod
    def num_rows(self) -> int:
        """N."""

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {} if self.words is None else number_rows(self.words)

    def id_of(self, word: Any) -> int:
        """Finds the number of a row by its word, or checks a number.

        Raises:
            KeyError: if there is no such row.
        """
        by_name = self.words is not None and isinstance(word, str)  # a number needs no names
        return find_row(word, self._ids if by_name else None, self.num_rows)

    def word_of(self, row: int) -> str:
        """Names a row by its number: its word, or the number if rows have no words.

        Raises:
            KeyError: if there is no such row.
        """
        if isinstance(row, str):
            raise KeyError(f"no row {row!r}; expected a number")
        number = find_row(row, None, self.num_rows)
        return str(number) if self.words is None else self.words[number]

    def _all_words(self) -> Iterable[str]:
        return map(str, range(self.num_rows)) if self.words is None else self.words

    def __contains__(self, word: Any) -> bool:
        try:
            self.id_of(word)
        except KeyError:
            return False
        return True
