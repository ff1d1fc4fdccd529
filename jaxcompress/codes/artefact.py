"""The artefacts: what is left of a table after compression, and how it is read back.

This module needs NumPy only; jax is imported by the methods that use it.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.codes.files import Table, write_safetensors, write_text, write_word2vec
from jaxcompress.errors import InputError
from jaxcompress.storage.bits import code_bits, code_type
from jaxcompress.storage.ids import check_ids, largest_ids
from jaxcompress.storage.names import check_names, find_row, number_rows

_CHUNK = 4096  # rows decoded at a time


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Codes:
    """A table as M codes a row and M codebooks: row n is `sum_m codebooks[m, codes[n, m]]`.

    Attributes:
        codes: uint8 or uint16 [N, M], each in [0, K).
        codebooks: float32 [M, K, D].
        words: the N names of the rows, or None where rows are named by their number.
        encoder: the weights that made the codes, by name, for rows never seen; or None.
        metadata: strings that travel with the file.
    """

    codes: np.ndarray
    codebooks: np.ndarray
    words: Sequence[str] | None = None
    encoder: Mapping[str, np.ndarray] | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.codebooks.ndim != 3 or self.codes.ndim != 2:
            raise InputError(
                f"codes {list(self.codes.shape)}, codebooks "
                f"{list(self.codebooks.shape)}; expected [N, M] and [M, K, D]."
            )
        if self.codes.shape[1] != self.num_codebooks:
            raise InputError(
                f"{self.codes.shape[1]} codes a row and {self.num_codebooks} "
                "codebooks; expected as many."
            )
        if self.codes.size and not 0 <= self.codes.min() <= self.codes.max() < self.num_codewords:
            raise InputError(
                f"codes are from {self.codes.min()} to {self.codes.max()}; expected "
                f"0 to {self.num_codewords - 1}."
            )
        if self.num_codewords > 65_536:
            raise InputError(f"{self.num_codewords:,} codewords; there can be at most 65,536.")
        if self.words is not None:
            check_names(self.words, self.num_rows)
        kind = code_type(self.num_codewords)
        object.__setattr__(self, "codes", self.codes.astype(kind, copy=False))
        object.__setattr__(self, "codebooks", np.asarray(self.codebooks, np.float32))

    num_rows = property(lambda self: self.codes.shape[0])
    num_codebooks = property(lambda self: self.codebooks.shape[0])
    num_codewords = property(lambda self: self.codebooks.shape[1])
    dim = property(lambda self: self.codebooks.shape[2])

    def __len__(self) -> int:
        return self.num_rows

    def __repr__(self) -> str:
        return (
            f"Codes({self.num_rows} rows x {self.dim}, {self.num_codebooks} codebooks x "
            f"{self.num_codewords} codewords, {self.num_bytes():,} bytes)"
        )

    # Sizes, in bits and bytes.

    @property
    def bits_per_row(self) -> int:
        """Bits of one row's codes: M * ceil(log2 K)."""
        return self.num_codebooks * code_bits(self.num_codewords)

    @property
    def codes_bytes(self) -> int:
        """Bytes of all codes, each row filled up to whole bytes."""
        return self.num_rows * math.ceil(self.bits_per_row / 8)

    @property
    def codebook_bytes(self) -> int:
        """Bytes of the codebooks as float32."""
        return 4 * self.codebooks.size

    def num_bytes(self) -> int:
        """Bytes of codes and codebooks; the vocabulary and the encoder are not counted."""
        return self.codes_bytes + self.codebook_bytes

    def compression_ratio(self) -> float:
        """Bytes of the float32 table over `num_bytes()`."""
        return 4 * self.num_rows * self.dim / self.num_bytes()

    # Names of rows.

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return number_rows(self.words)

    def id_of(self, word: str | int) -> int:
        """Returns the row number of a word (or checks a row number).

        Raises:
            KeyError: where there is no such row.
        """
        return find_row(word, None if self.words is None else self._ids, self.num_rows)

    def word_of(self, row: int) -> str:
        """Returns the name of a row."""
        return str(row) if self.words is None else self.words[row]

    def __contains__(self, word: str | int) -> bool:
        try:
            self.id_of(word)
        except KeyError:
            return False
        return True

    def __getitem__(self, word: str | int) -> np.ndarray:
        """`table["king"]`: its reconstruction, float32 [D], by NumPy."""
        return self.decode([self.id_of(word)])[0]

    # Rows.

    def lookup(self, ids: Any) -> Any:
        """Reconstructs rows with jax: int ids of any shape -> float32 [*ids.shape, D].

        Can be called under `jax.jit`, where codes and codebooks become constants of the program;
        for a large table pass arrays to `jaxcompress.lookup.lookup` instead.

        Raises:
            IndexError: where an id is out of range and ids are not on a device.
        """
        import jax.numpy as jnp

        from jaxcompress.codes.decode import lookup

        if isinstance(ids, (int, list, tuple, np.ndarray, np.integer)):
            ids = self._check_ids(ids)
        return lookup(*self._device_arrays, jnp.asarray(ids))

    @functools.cached_property
    def _device_arrays(self):
        import jax
        import jax.numpy as jnp

        from jaxcompress.codes.decode import can_pair, pair_up

        codes, codebooks = self.codes, self.codebooks
        if can_pair(codebooks):
            codes, codebooks = pair_up(codes, codebooks)  # pays from the second lookup on
        with jax.ensure_compile_time_eval():  # arrays, not tracers, also when first used in a jit
            return jnp.asarray(codes), jnp.asarray(codebooks)

    def decode(self, ids: Any = None) -> np.ndarray:
        """Reconstructs rows with NumPy: int ids [B] (all rows if None) -> float32 [B, D].

        Raises:
            IndexError: where an id is out of range.
        """
        codes = self.codes if ids is None else self.codes[self._check_ids(ids)]
        rows = np.zeros((len(codes), self.dim), np.float32)
        for start in range(0, len(codes), _CHUNK):
            chunk = codes[start : start + _CHUNK]
            for m in range(self.num_codebooks):
                rows[start : start + _CHUNK] += self.codebooks[m, chunk[:, m]]
        return rows

    def _check_ids(self, ids: Any) -> np.ndarray:
        return check_ids(ids, self.num_rows)

    # Codes of other rows.

    def encode(
        self,
        vectors: Any,
        *,
        start: np.ndarray | None = None,
        num_rounds: int = 16,
        seed: int = 0,
    ) -> np.ndarray:
        """Finds codes for rows that are not in the table, with the codebooks as they are.

        Args:
            vectors: float [B, D].
            start: int [B, M], codes to begin with; no row's error gets larger than theirs. None:
                for each row the best of a beam search's, the encoder's where there is one, and, in
                tables of up to 65,536 rows, those of the nearest row.
            num_rounds: of local search; each begins at the best codes so far.
            seed: of the search.

        Returns:
            uint8 or uint16 [B, M].

        Raises:
            InputError: where vectors or codes do not fit the codebooks.
        """
        from jaxcompress.codes.encode import encode

        return encode(
            vectors,
            self.codebooks,
            self.encoder,
            known=self.codes,
            start=start,
            num_rounds=num_rounds,
            seed=seed,
        )

    def append(self, words: Sequence[str] | None, vectors: Any, **search: Any) -> "Appended":
        """Adds rows to the table, with the codebooks as they are.

        Args:
            words: their names, none of which is there yet; None where rows have no names.
            vectors: float [B, D].
            **search: `num_rounds` and `seed` of `encode`.

        Returns:
            A table of all rows, and how much worse the new ones are: codebooks were fitted to the
            old rows alone.

        Raises:
            InputError: where words or vectors do not fit the table.
        """
        from jaxcompress.codes.encode import check_rows

        rows, names = check_rows(vectors, self.dim), None
        if not len(rows):
            raise InputError("vectors have no rows; expected one or more to append.")
        if (words is None) != (self.words is None):
            raise InputError(
                f"the table's rows have {'no ' if self.words is None else ''}names; give "
                f"{'words=None' if self.words is None else 'a word for each row'}."
            )
        if words is not None:
            words = list(words)
            check_names(words, len(rows))
            seen = self._ids.keys() | set(words)
            if len(seen) < len(self) + len(words):
                twice = next(w for i, w in enumerate(words) if w in self or w in words[:i])
                raise InputError(f"word {twice!r} would be there twice; leave it out.")
            names = [*self.words, *words]
        codes = self.encode(rows, **search)
        more = Codes(codes, self.codebooks)
        squared = np.square(more.decode() - np.asarray(rows, np.float32)).sum(axis=1)
        new, old = float(squared.mean(dtype=np.float64)), self.metadata.get("mean_squared_l2")
        about = dict(self.metadata)
        if old is not None:
            mean = (float(old) * len(self) + new * len(rows)) / (len(self) + len(rows))
            about["mean_squared_l2"] = repr(mean)
        table = dataclasses.replace(
            self, codes=np.concatenate([self.codes, codes]), words=names, metadata=about
        )
        return Appended(table, new, None if old is None else float(old))

    # Neighbours, without decoding the table.

    @functools.cached_property
    def _norms(self) -> np.ndarray:
        """Row norms [N], from the products of codewords: N*M^2/2 reads and no [N, D]."""
        products = np.einsum("mkd,nld->mnkl", self.codebooks, self.codebooks)
        squares = np.zeros(self.num_rows)
        for m in range(self.num_codebooks):
            first = self.codes[:, m].astype(np.int64) * self.num_codewords
            squares += products[m, m].diagonal()[self.codes[:, m]]
            for n in range(m):
                squares += 2 * np.take(products[m, n].reshape(-1), first + self.codes[:, n])
        return np.sqrt(np.maximum(squares, 0.0))

    def nearest(
        self, word: str | int | np.ndarray, count: int = 10, exclude: Sequence[str | int] = ()
    ) -> list[tuple[str, float]]:
        """Finds the rows of largest cosine with a word (itself left out) or a vector [D]."""
        if isinstance(word, (str, int)):
            exclude = (word, *exclude)
            word = self[word]
        query = np.asarray(word, np.float32) / max(float(np.linalg.norm(word)), 1e-30)
        table = self.codebooks @ query
        scores = np.zeros(self.num_rows, np.float32)
        for m in range(self.num_codebooks):
            scores += table[m, self.codes[:, m]]
        scores /= np.maximum(self._norms, 1e-30)
        scores[[self.id_of(w) for w in exclude]] = -np.inf
        best = largest_ids(scores, min(count, self.num_rows - len(set(exclude))))
        return [(self.word_of(i), float(scores[i])) for i in best]

    def analogy(
        self, a: str | int, b: str | int, c: str | int, count: int = 10
    ) -> list[tuple[str, float]]:
        """Answers "a is to b as c is to ?" by the rows nearest to b - a + c, of unit rows."""
        rows = self.decode([self.id_of(w) for w in (a, b, c)])
        unit_a, unit_b, unit_c = rows / np.maximum(np.linalg.norm(rows, axis=1), 1e-30)[:, None]
        return self.nearest(unit_b - unit_a + unit_c, count, exclude=(a, b, c))

    # Files.

    def save(self, path: str | os.PathLike) -> None:
        """Writes one .safetensors file: packed codes, codebooks, words, encoder, metadata."""
        write_safetensors(
            path,
            Table(self.codes, self.codebooks, self.words, self.encoder, dict(self.metadata)),
        )

    def save_text(self, prefix: str | os.PathLike, *, words: bool = True) -> None:
        """Writes `PREFIX.codes`, with or without words, and `PREFIX.codebook.npy` [M*K, D]."""
        names = map(self.word_of, range(self.num_rows)) if words else None
        write_text(prefix, self.codes, self.codebooks, names)

    def to_word2vec(self, path: str | os.PathLike) -> None:
        """Writes the decoded table as word2vec text: a line `N D`, then a word and D numbers each.

        Numbers have nine digits, from which float32 is read back exactly. Rows without words are
        named by their number. In a word each character of whitespace becomes "_": readers take it
        for the end of the word. Of words that this makes alike, most readers keep the first.
        """
        starts = range(0, self.num_rows, _CHUNK)
        chunks = (self.decode(range(i, min(i + _CHUNK, self.num_rows))) for i in starts)
        names = map(self.word_of, range(self.num_rows))
        write_word2vec(path, (self.num_rows, self.dim), names, chunks)

    def to_faiss(self, metric: str = "l2") -> Any:
        """Makes a `faiss.IndexResidualQuantizer` with these rows (extra `faiss`), by number.

        It takes the bytes of the packed codes and of the codebooks, which are padded with zeros
        where K is no power of two. `search` is exact over the decoded rows, and `reconstruct(i)`
        is `decode([i])[0]`. Rows that FAISS adds are encoded by its own greedy search, which our
        codebooks are not made for.

        Args:
            metric: "l2" (squared distances) or "inner_product".

        Raises:
            InputError: where the metric is another one, or FAISS cannot be imported.
        """
        from jaxcompress.codes.faiss_index import residual_index

        return residual_index(self.codes, self.codebooks, metric)


class Appended(NamedTuple):
    """What `Codes.append` gives.

    Attributes:
        codes: the table with the new rows at its end.
        mean_squared_l2: of the new rows.
        old_mean_squared_l2: of the old ones, as they were when they were compressed; None where the
            artefact does not say.
    """

    codes: Codes
    mean_squared_l2: float
    old_mean_squared_l2: float | None

    @property
    def ratio(self) -> float | None:
        """How many times as large the error of the new rows is."""
        if self.old_mean_squared_l2 is None:
            return None
        return self.mean_squared_l2 / self.old_mean_squared_l2
