"""`Codes`: what is left of a table after compression, and how its rows are read back.

This module needs NumPy only; jax is imported by the methods that use it.

Axis letters: N rows, B rows of a batch, M codebooks, K codewords, D dimensions.
"""

import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxcompress.codes.append import Appended, append
from jaxcompress.codes.codebook_types import (
    check_codebook_type,
    count_bytes,
    fold,
    is_folded,
    round_codebooks,
)
from jaxcompress.codes.files import (
    FileContents,
    count_file_bytes,
    write_codes_text,
    write_safetensors,
    write_word2vec,
)
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.neighbours import (
    Lengths,
    check_query,
    find_nearest,
    measure_rows,
    unit_rows,
)
from jaxcompress.errors import InputError
from jaxcompress.storage.bits import code_bits, code_type
from jaxcompress.storage.ids import check_count, check_id_type, check_ids
from jaxcompress.storage.names import check_names, find_row, is_one_row, number_rows

_CHUNK = 4096  # rows decoded at a time


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Codes:
    """A table as M codes per row and M codebooks: row n is `sum_m codebooks[m, codes[n, m]]`.

    That is eq. 2 of Shu & Nakayama, ICLR 2018, arXiv 1711.01068.

    >>> codebooks = np.array([[[1, 0], [2, 0]], [[0, 10], [0, 20]]])  # M = K = D = 2
    >>> table = Codes(np.array([[0, 1], [1, 1]]), codebooks, words=["man", "king"])
    >>> table
    Codes(2 rows x 2, 2 codebooks x 2 codewords, 34 bytes)
    >>> table["king"]
    array([ 2., 20.], dtype=float32)
    >>> "king" in table, "queen" in table, len(list(table))  # names are in it; rows are iterated
    (True, False, 2)

    Attributes:
        codes: uint8 or uint16 [N, M], each in [0, K).
        codebooks: float32 [M, K, D].
        words: the N names of the rows; None if rows are named by their numbers.
        encoder: weights of the network that made the codes, by name, for rows never seen; or None.
        metadata: strings that are stored with the codes.
        groups: which codebooks are 0 outside of a slice of the dimensions; None: none are.
        codebook_type: how files hold the codebooks: one of `CODEBOOK_TYPES`.

    Raises:
        InputError: if shapes, codes or words do not fit each other.
    """

    codes: np.ndarray
    codebooks: np.ndarray
    words: Sequence[str] | None = None
    encoder: Mapping[str, np.ndarray] | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    groups: Groups | None = None
    codebook_type: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", np.asarray(self.codes))
        object.__setattr__(self, "codebooks", np.asarray(self.codebooks, np.float32))
        if self.words is not None and not isinstance(self.words, Sequence):  # an array, a generator
            object.__setattr__(self, "words", list(self.words))
        if self.codebooks.ndim != 3 or self.codes.ndim != 2:
            raise InputError(
                f"codes are {list(self.codes.shape)}, codebooks {list(self.codebooks.shape)}; "
                "expected [N, M] and [M, K, D]."
            )
        if self.codes.shape[1] != self.num_codebooks:
            raise InputError(
                f"{self.codes.shape[1]} codes per row and {self.num_codebooks} codebooks; "
                "expected equal numbers."
            )
        if self.codes.size and self.codes.dtype.kind not in "iu":
            raise InputError(f"codes are {self.codes.dtype}; expected integers.")
        if self.codes.size and not 0 <= self.codes.min() <= self.codes.max() < self.num_codewords:
            raise InputError(
                f"codes are from {self.codes.min()} to {self.codes.max()}; expected "
                f"0 to {self.num_codewords - 1}."
            )
        if self.num_codewords > 65_536:
            raise InputError(f"{self.num_codewords:,} codewords; there can be at most 65,536.")
        check_codebook_type(self.codebook_type)
        if self.groups is not None:
            self.groups.check(self.num_codebooks, self.dim)
        if self.words is not None:
            check_names(self.words, self.num_rows)
        kind = code_type(self.num_codewords)
        object.__setattr__(self, "codes", self.codes.astype(kind, copy=False))

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: the fields, without what was computed from them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def num_rows(self) -> int:
        """N."""
        return self.codes.shape[0]

    @property
    def num_codebooks(self) -> int:
        """M, which is also the number of codes per row."""
        return self.codebooks.shape[0]

    @property
    def num_codewords(self) -> int:
        """K, the number of codewords in each codebook."""
        return self.codebooks.shape[1]

    @property
    def dim(self) -> int:
        """D, the number of dimensions of a row."""
        return self.codebooks.shape[2]

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
        """Bits of the codes of one row: M * ceil(log2 K)."""
        return self.num_codebooks * code_bits(self.num_codewords)

    @property
    def codes_bytes(self) -> int:
        """Bytes of all codes, each row filled up to whole bytes."""
        return self.num_rows * math.ceil(self.bits_per_row / 8)

    @functools.cached_property
    def _is_folded(self) -> bool:
        return is_folded(self.codebooks, self.groups)

    @property
    def codebook_bytes(self) -> int:
        """Bytes of the codebooks as files hold them, in their type and without known zeros."""
        shape = self.num_codebooks, self.num_codewords, self.dim
        return count_bytes(shape, self.codebook_type, self._is_folded, self.groups)

    def num_bytes(self) -> int:
        """Counts the bytes of codes and codebooks in a file, without words and encoder."""
        return self.codes_bytes + self.codebook_bytes

    def compression_ratio(self) -> float:
        """Divides the bytes of the float32 table by `num_bytes()`."""
        return 4 * self.num_rows * self.dim / self.num_bytes()

    # Names of rows.

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

    def __getitem__(self, word: Any) -> np.ndarray:
        """Reconstructs one row with NumPy: `table["king"]`, float32 [D]."""
        return self.decode(self.id_of(word))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Reconstructs the rows one after another, float32 [D] each."""
        return itertools.chain.from_iterable(self._chunks())

    # Rows.

    def lookup(self, ids: Any) -> Any:
        """Reconstructs rows with jax: int ids of any shape -> float32 [*ids.shape, D].

        Under `jax.jit` codes and codebooks become constants of the program; for a large table pass
        them to `jaxcompress.codes.decode.lookup` as arrays instead.

        Raises:
            InputError: if ids are no integers.
            IndexError: if an id is out of range; ids on a device are not checked, and one out of
                range takes the nearest row there is.
        """
        import jax
        import jax.numpy as jnp

        from jaxcompress.codes.decode import lookup

        if isinstance(ids, jax.Array):
            check_id_type(ids.dtype)
        else:
            ids = jnp.asarray(check_ids(ids, self.num_rows))
        return lookup(*self._device_arrays, ids, self.groups)

    @functools.cached_property
    def _device_arrays(self) -> tuple[Any, Any]:
        """Codes and codebooks as jax arrays; in pairs if a pair of codes still fits a byte.

        A TPU multiplies one-hot codes, which pairs would make longer.
        """
        import jax
        import jax.numpy as jnp

        from jaxcompress.codes.decode import can_pair, fill_codes, pair_up

        codes, codebooks, platform = self.codes, self.codebooks, jax.default_backend()
        if platform != "tpu" and self.groups is None and can_pair(codebooks):
            codes, codebooks = pair_up(codes, codebooks)  # pays from the second lookup on
        codes = fill_codes(codes, platform)
        with jax.ensure_compile_time_eval():  # arrays, not tracers, also when first used in a jit
            return jnp.asarray(codes), jnp.asarray(codebooks)

    def decode(self, ids: Any = None) -> np.ndarray:
        """Reconstructs rows with NumPy: int ids of any shape -> float32 [*ids.shape, D].

        Args:
            ids: numbers of rows, one of them too; None: all rows.

        Raises:
            InputError: if ids are no integers.
            IndexError: if an id is out of range.
        """
        ids = np.arange(self.num_rows) if ids is None else check_ids(ids, self.num_rows)
        codes = self.codes[ids.reshape(-1)]
        rows = np.zeros((len(codes), self.dim), np.float32)
        for start in range(0, len(codes), _CHUNK):
            chunk, part = codes[start : start + _CHUNK], rows[start : start + _CHUNK]
            for m, span in enumerate(self._spans):
                part[:, span] += self.codebooks[m, :, span][chunk[:, m]]
        return rows.reshape(*ids.shape, self.dim)

    @functools.cached_property
    def _spans(self) -> list[slice]:
        """The dimensions of each codebook."""
        groups = self.groups or Groups(self.num_codebooks, 1)
        each = groups.spans(self.num_codebooks, self.dim)
        firsts, counts = each.argmax(axis=1).tolist(), each.sum(axis=1).tolist()
        return [slice(i, i + n) for i, n in zip(firsts, counts, strict=True)]

    def _chunks(self) -> Iterator[np.ndarray]:
        """Reconstructs all rows a chunk at a time: float32 [at most _CHUNK, D] each."""
        for start in range(0, self.num_rows, _CHUNK):
            yield self.decode(range(start, min(start + _CHUNK, self.num_rows)))

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
            vectors: float [B, D], as `compress` takes them.
            start: int [B, M], codes to begin with; no row's error gets larger than with these.
                None: each row begins with the best of the codes that a beam search finds, those
                that the encoder gives if there is one, and, in tables of up to 65,536 rows, those
                of the nearest row.
            num_rounds: rounds of local search; each begins at the best codes so far.
            seed: the search's randomness.

        Returns:
            uint8 or uint16 [B, M].

        Raises:
            InputError: if vectors or codes do not fit the codebooks.
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
            groups=self.groups,
        )

    def append(self, words: Any, vectors: Any, **search: Any) -> Appended:
        """Adds rows to the table, with the codebooks as they are.

        Args:
            words: names of the new rows, none of which is in the table; None: those that the
                vectors bring, as gensim's do; or none, if the rows of the table have none.
            vectors: float [B, D], as `compress` takes them.
            **search: `num_rounds` and `seed` of `encode`.

        Returns:
            A table of all rows, and how much larger the error of the new rows is: codebooks were
            fitted to the old rows alone.

        Raises:
            InputError: if words or vectors do not fit the table.
        """
        return append(self, words, vectors, **search)

    # Similar rows, found without keeping the decoded table.

    @functools.cached_property
    def _lengths(self) -> Lengths:
        return measure_rows(self.codes, self.codebooks, self._chunks())

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
        ids, cosines = find_nearest(
            query, self.codes, self.codebooks, self._lengths, self.decode, count, left_out
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

    # Files.

    def save(
        self,
        path: str | os.PathLike,
        *,
        export_encoder: bool = False,
        codebook_type: str | None = None,
    ) -> None:
        """Writes one .safetensors file, which `jaxcompress.load_codes` opens.

        Args:
            path: the file.
            export_encoder: whether the encoder is written too, if there is one. `encode` finds
                codes of new rows without it, and it can be larger than all the rest.
            codebook_type: how the file holds the codebooks, one of `CODEBOOK_TYPES`; they are
                rounded to it. The codes stay as they are; `compress(codebook_type=...)` makes
                codes for the rounded codebooks, whose error is less. None: `self.codebook_type`.

        Raises:
            InputError: if there is no such type, or it cannot hold the codebooks.
        """
        write_safetensors(path, self._contents(export_encoder, codebook_type))

    def file_bytes(self, *, export_encoder: bool = False) -> int:
        """Counts the bytes of the whole file that `save` writes, for which it packs all of it."""
        return count_file_bytes(self._contents(export_encoder))

    def _contents(self, export_encoder: bool, codebook_type: str | None = None) -> FileContents:
        """Gives what a file of these codes holds."""
        codebooks, metadata = self.codebooks, dict(self.metadata)
        if codebook_type not in (None, self.codebook_type):
            check_codebook_type(codebook_type)
            if codebook_type != "float32":
                codebooks = fold(codebooks, self.groups)
                codebooks = round_codebooks(codebooks, codebook_type, self.groups)
                metadata.pop("mean_squared_l2", None)  # that of the codebooks as they were
        return FileContents(
            self.codes,
            codebooks,
            self.words,
            self.encoder if export_encoder else None,
            metadata,
            self.groups,
            codebook_type or self.codebook_type,
        )

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool = False,
        license: str | None = None,
        card: str | None = None,
        summary: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> str:
        """Uploads the file of these codes to the Hugging Face Hub (extra `hub`), with a model card.

        `jaxcompress.load("hf://ORG/NAME")` opens it. A card that is there already stays.

        Args:
            repo: "ORG/NAME"; the repository is made if it is not there.
            private: whether a new repository is.
            license: the Hub's name of one, such as "apache-2.0", for the card.
            card: the text of the card; None: one with figures, neighbours and how to read it.
            summary: figures for the card, such as those of `summary.json`.
            token: of the Hub; None: that with which one is logged in.

        Returns:
            The address of the commit.

        Raises:
            InputError: if `huggingface_hub` is not installed, or the Hub refuses or cannot be
                reached.
        """
        from jaxcompress.codes.push import push

        given: dict[str, Any] = {"private": private, "license": license, "card": card}
        return push(self, repo, summary=summary, token=token, **given)

    def save_text(self, prefix: str | os.PathLike, *, words: bool = True) -> None:
        """Writes `PREFIX.codes`, with or without words, and `PREFIX.codebook.npy` [M*K, D]."""
        names = self._all_words() if words else None
        write_codes_text(prefix, self.codes, self.codebooks, names)

    def to_word2vec(self, path: str | os.PathLike) -> None:
        """Writes the decoded table as word2vec text: a line `N D`, then N lines `word x1 ... xD`.

        Numbers have nine digits, from which float32 is read back exactly. Rows without words are
        named by their numbers. Whitespace in a word becomes "_", since readers take it for the end
        of the word. If two words become equal by this, most readers keep the first.
        """
        shape = (self.num_rows, self.dim)
        write_word2vec(path, shape, self._all_words(), self._chunks())

    def to_faiss(self, metric: str = "l2") -> Any:
        """Makes a `faiss.IndexResidualQuantizer` of these rows (extra `faiss`), by number.

        It takes the bytes of the packed codes and of the codebooks, which are padded with zeros
        if K is no power of two. `search` is exact over the decoded rows, and `reconstruct(i)` is
        `decode([i])[0]`. FAISS codes rows that are added to the index by a greedy search of its
        own, for which these codebooks are not made.

        Args:
            metric: "l2" (squared distances) or "inner_product".

        Raises:
            InputError: if the metric is another one, or FAISS cannot be imported.
        """
        from jaxcompress.codes.faiss_index import residual_index

        return residual_index(self.codes, self.codebooks, metric)

    def to_keyed_vectors(self) -> Any:
        """Makes `gensim.models.KeyedVectors` of the decoded rows (extra `gensim`), by name.

        Rows without words are named by their numbers; of rows of the same name the first is kept.
        `jaxcompress.compress` takes KeyedVectors.

        Raises:
            InputError: if gensim cannot be imported.
        """
        from jaxcompress.codes.keyed_vectors import keyed_vectors

        return keyed_vectors(self._all_words(), self.decode())
