"""`Codes`: what is left of a table after compression, and how its rows are read back.

This module needs NumPy only; jax is imported by the methods that use it.

Axis letters: N rows, B rows of a batch, M codebooks, K codewords, D dimensions.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

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
    CODES_FILE,
    FORMAT,
    FileContents,
    count_file_bytes,
    unpack_tensors,
    write_codes_text,
    write_safetensors,
)
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.neighbours import bound_errors, sum_products
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.errors import InputError
from jaxcompress.storage.bits import code_bits, code_type
from jaxcompress.storage.names import check_names


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Codes(CompressedTable):
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

    kind: ClassVar[str] = "codes"
    file_format: ClassVar[str] = FORMAT
    file_name: ClassVar[str] = CODES_FILE

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

    def figures(self) -> dict[str, Any]:
        """Gives M, K, groups, bytes of a row and of codebooks, and whether there is an encoder."""
        return {
            "num_codebooks": self.num_codebooks,
            "num_codewords": self.num_codewords,
            "num_groups": self.groups.num_groups if self.groups else 1,
            "bytes_per_row": self.codes_bytes / max(self.num_rows, 1),
            "codebook_type": self.codebook_type,
            "codebook_bytes": self.codebook_bytes,
            "has_encoder": self.encoder is not None,
        }

    # Rows.

    def _lookup(self, ids: Any) -> Any:
        from jaxcompress.codes.decode import lookup

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

    def _attend(self, query: Any) -> Any:
        from jaxcompress.codes.attend import attend

        return attend(query, self.codes, self.codebooks)

    def _fill(self, ids: np.ndarray, rows: np.ndarray) -> None:
        codes = self.codes[ids]
        for m, span in enumerate(self._spans):
            rows[:, span] += self.codebooks[m, :, span][codes[:, m]]

    @functools.cached_property
    def _spans(self) -> list[slice]:
        """The dimensions of each codebook."""
        groups = self.groups or Groups(self.num_codebooks, 1)
        each = groups.spans(self.num_codebooks, self.dim)
        firsts, counts = each.argmax(axis=1).tolist(), each.sum(axis=1).tolist()
        return [slice(i, i + n) for i, n in zip(firsts, counts, strict=True)]

    def _products(self, query: np.ndarray) -> np.ndarray:
        return sum_products(self.codes, self.codebooks, query)

    @functools.cached_property
    def _product_errors(self) -> np.ndarray:
        return bound_errors(self.codes, self.codebooks)

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

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> "Codes":
        """Makes the codes that `save` wrote of the tensors and the metadata of their file."""
        return cls(*unpack_tensors(tensors, metadata))

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
