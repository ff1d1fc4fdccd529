"""`CompressedTable`: what every table can do that is kept in few bytes, and how its rows are read.

A kind of table says what it keeps and how rows are made of it (`codes/artefact.py`,
`anchors/artefact.py`). Whoever reads one needs to know no more than this.

Axis letters: N rows, B ids asked for, D dimensions.
"""

import abc
import dataclasses
import functools
import itertools
import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from jaxcompress.compressed.interchange import keyed_vectors, write_word2vec
from jaxcompress.compressed.named_rows import NamedRows
from jaxcompress.compressed.neighbours import (
    check_query,
    find_nearest,
    measure_rows,
    multiply_rows,
    unit_rows,
)
from jaxcompress.errors import InputError
from jaxcompress.storage.ids import check_count, check_id_type, check_ids
from jaxcompress.storage.names import is_one_row

_CHUNK = 4096  # rows decoded at a time


class CompressedTable(NamedRows):
    """A table of N rows with names: the base of `Codes`, `SparseAnchors` and `LowRank`.

    A kind is a frozen dataclass, and gives what is abstract here.

    Attributes:
        kind: what the table is called in messages: "codes", "anchors", "factors".
        file_format: what its files say that they hold.
        file_name: the name of its file in the export of a run.
        words: the N names of the rows; None if they are named by their numbers.
        metadata: strings that travel with the file.
    """

    kind: ClassVar[str]
    file_format: ClassVar[str]
    file_name: ClassVar[str]
    metadata: Mapping[str, str]
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]

    # What a kind of table gives.

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """D, the number of dimensions of a row."""

    @abc.abstractmethod
    def num_bytes(self) -> int:
        """Counts the bytes of all rows in a file, without names and what else travels with it."""

    @abc.abstractmethod
    def file_bytes(self) -> int:
        """Counts the bytes of the whole file that `save` writes, for which it packs all of it."""

    @abc.abstractmethod
    def figures(self) -> dict[str, Any]:
        """Gives by name the numbers that only this kind of table has, for `jaxcompress info`."""

    @abc.abstractmethod
    def save(self, path: str | os.PathLike) -> None:
        """Writes one .safetensors file, which `jaxcompress.load` opens."""

    @classmethod
    @abc.abstractmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> Self:
        """Makes the table that `save` wrote of the tensors and the metadata of its file."""

    @abc.abstractmethod
    def _fill(self, ids: np.ndarray, rows: np.ndarray) -> None:
        """Writes the rows of checked ids, int32 [B], over `rows`, zeros float32 [B, D]."""

    @abc.abstractmethod
    def _lookup(self, ids: Any) -> Any:
        """Makes rows with jax: ids of integers, of any shape -> float32 [*ids.shape, D]."""

    @abc.abstractmethod
    def _attend(self, query: Any) -> Any:
        """Multiplies a query [..., D] with all rows, with jax: [..., N]."""

    # What a kind may do faster: products with all rows by what it keeps.

    def _products(self, query: np.ndarray) -> np.ndarray:
        """Multiplies all rows with a query, float64 [D]: float64 [N]."""
        return multiply_rows(self._chunks(), query)

    @functools.cached_property
    def _product_errors(self) -> np.ndarray:
        """How far products with a query of length 1 are from those of the decoded rows, at most."""
        return np.zeros(self.num_rows)

    # The whole of it.

    def __len__(self) -> int:
        return self.num_rows

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: the fields, without what was computed from them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def compression_ratio(self) -> float:
        """Divides the bytes of the float32 table by `num_bytes()`."""
        return 4 * self.num_rows * self.dim / self.num_bytes()

    # Rows.

    def __getitem__(self, word: Any) -> np.ndarray:
        """Reconstructs one row with NumPy, by its word or number: `table["king"]`, float32 [D]."""
        return self.decode(self.id_of(word))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Reconstructs the rows one after another, float32 [D] each."""
        return itertools.chain.from_iterable(self._chunks())

    def decode(self, ids: Any = None) -> np.ndarray:
        """Reconstructs rows with NumPy: int ids of any shape -> float32 [*ids.shape, D].

        The cost is that of the rows that are asked for.

        Args:
            ids: numbers of rows, one of them too; None: all rows.

        Raises:
            InputError: if ids are no integers.
            IndexError: if an id is out of range.
        """
        ids = np.arange(self.num_rows) if ids is None else check_ids(ids, self.num_rows)
        flat = ids.reshape(-1)
        rows = np.zeros((len(flat), self.dim), np.float32)
        for start in range(0, len(flat), _CHUNK):
            self._fill(flat[start : start + _CHUNK], rows[start : start + _CHUNK])
        return rows.reshape(*ids.shape, self.dim)

    def _chunks(self) -> Iterator[np.ndarray]:
        """Reconstructs all rows a chunk at a time: float32 [at most _CHUNK, D] each."""
        for start in range(0, self.num_rows, _CHUNK):
            yield self.decode(range(start, min(start + _CHUNK, self.num_rows)))

    def lookup(self, ids: Any) -> Any:
        """Reconstructs rows with jax: int ids of any shape -> float32 [*ids.shape, D].

        Under `jax.jit` what the table keeps becomes constants of the program; for a large table of
        codes pass them to `jaxcompress.codes.decode.lookup` as arrays instead.

        Raises:
            InputError: if ids are no integers.
            IndexError: if an id is out of range; ids on a device are not checked, and one out of
                range takes the nearest row there is.
        """
        import jax
        import jax.numpy as jnp

        if isinstance(ids, jax.Array):
            check_id_type(ids.dtype)
        else:
            ids = jnp.asarray(check_ids(ids, self.num_rows))
        return self._lookup(ids)

    def attend(self, query: Any) -> Any:
        """Multiplies queries with all rows with jax, without making them: [..., D] -> [..., N].

        It can be differentiated by the query.

        Raises:
            InputError: if the last dimension of the query is not D.
        """
        import jax.numpy as jnp

        query = jnp.asarray(query)
        if query.ndim == 0 or query.shape[-1] != self.dim:
            raise InputError(f"the query is {list(query.shape)}; expected [..., {self.dim}].")
        return self._attend(query)

    # Similar rows, found without keeping the decoded table.

    @functools.cached_property
    def _norms(self) -> np.ndarray:
        """The lengths of all rows as they are decoded, float64 [N]."""
        return measure_rows(self._chunks())

    def nearest(self, word: Any, count: int = 10, exclude: Any = ()) -> list[tuple[str, float]]:
        """Finds the rows of largest cosine with a row or a vector.

        Args:
            word: a word or the number of a row, which is left out itself; or a vector [D].
            count: how many rows to find.
            exclude: further words or numbers to leave out, or one of them.

        Returns:
            Words and cosines, the largest first.

        Raises:
            KeyError: if there is no such row.
            InputError: if the vector or the count is invalid.
        """
        count = check_count(count)
        left_out = {self.id_of(w) for w in ([exclude] if is_one_row(exclude) else exclude)}
        if is_one_row(word):
            left_out.add(self.id_of(word))
            word = self[word]
        query = check_query(word, self.dim)
        products = self._products(query)
        ids, cosines = find_nearest(
            query, products, self._product_errors, self._norms, self.decode, count, left_out
        )
        return [(self.word_of(i), float(c)) for i, c in zip(ids, cosines, strict=True)]

    def analogy(self, a: Any, b: Any, c: Any, count: int = 10) -> list[tuple[str, float]]:
        """Answers "a is to b as c is to ?" by the rows nearest to b - a + c, each of length 1.

        Args:
            a: a word or the number of a row; so `b` and `c`, and none of them is an answer.
            b: what `a` becomes.
            c: what is asked about.
            count: how many rows to find.

        Raises:
            KeyError: if there is no such row.
        """
        rows = self.decode([self.id_of(w) for w in (a, b, c)]).astype(np.float64)
        unit_a, unit_b, unit_c = unit_rows(rows)
        return self.nearest(unit_b - unit_a + unit_c, count, exclude=(a, b, c))

    # Files for other programs.

    def to_word2vec(self, path: str | os.PathLike) -> None:
        """Writes the decoded table as word2vec text: a line `N D`, then N lines `word x1 ... xD`.

        Numbers have nine digits, from which float32 is read back exactly. Rows without words are
        named by their numbers. Whitespace in a word becomes "_", since readers take it for the end
        of the word. If two words become equal by this, most readers keep the first.
        """
        write_word2vec(path, (self.num_rows, self.dim), self._all_words(), self._chunks())

    def to_keyed_vectors(self) -> Any:
        """Makes `gensim.models.KeyedVectors` of the decoded rows (extra `gensim`), by name.

        Rows without words are named by their numbers; of rows of the same name the first is kept.
        `jaxcompress.compress` takes KeyedVectors.

        Raises:
            InputError: if gensim cannot be imported.
        """
        return keyed_vectors(self._all_words(), self.decode())
