"""`LowRank`: a table as the product of two thin matrices, the simplest way to keep one small.

Its best error, at a given rank, is that of principal components (Eckart & Young, "The approximation
of one matrix by another of lower rank", Psychometrika 1936). NumPy only, but for `lookup` and
`attend`.

Axis letters: N rows, R numbers of a row, D dimensions, B ids asked for.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxcompress.compressed.table import CompressedTable
from jaxcompress.errors import InputError
from jaxcompress.storage.names import check_names, pack_names, unpack_names
from jaxcompress.storage.tensors import count_bytes, write_tensors


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LowRank(CompressedTable):
    """A table as `numbers @ basis`: each row is R numbers, and R basis vectors are shared.

    Attributes:
        numbers: float32 [N, R].
        basis: float32 [R, D].
        words: the N names of the rows; None: they are named by their numbers.
        metadata: strings that travel with the file.

    >>> table = LowRank(np.array([[2.0], [3.0]]), np.array([[1.0, 10.0]]), words=["man", "king"])
    >>> table
    LowRank(2 rows x 2, rank 1, 16 bytes)
    >>> table["king"]
    array([ 3., 30.], dtype=float32)

    Raises:
        InputError: if shapes or words do not fit each other.
    """

    kind: ClassVar[str] = "factors"
    file_format: ClassVar[str] = "jaxcompress.low_rank"
    file_name: ClassVar[str] = "low_rank.safetensors"

    numbers: np.ndarray
    basis: np.ndarray
    words: Sequence[str] | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("numbers", "basis"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float32))
        if self.words is not None and not isinstance(self.words, Sequence):  # an array, a generator
            object.__setattr__(self, "words", list(self.words))
        fit = self.numbers.ndim == self.basis.ndim == 2
        if not fit or self.numbers.shape[1] != len(self.basis):
            raise InputError(
                f"numbers are {list(self.numbers.shape)}, the basis {list(self.basis.shape)}; "
                "expected [N, R] and [R, D]."
            )
        if self.words is not None:
            check_names(self.words, self.num_rows)

    @property
    def num_rows(self) -> int:
        """N."""
        return self.numbers.shape[0]

    @property
    def rank(self) -> int:
        """R."""
        return self.basis.shape[0]

    @property
    def dim(self) -> int:
        """D."""
        return self.basis.shape[1]

    def __repr__(self) -> str:
        return (
            f"LowRank({self.num_rows} rows x {self.dim}, rank {self.rank}, "
            f"{self.num_bytes():,} bytes)"
        )

    def num_bytes(self) -> int:
        """Counts the bytes of numbers and basis, without names."""
        return self.numbers.nbytes + self.basis.nbytes

    def file_bytes(self) -> int:
        """Counts the bytes of the whole file that `save` writes, for which it packs all of it."""
        return count_bytes(self._tensors(), self.file_format, self.metadata)

    def figures(self) -> dict[str, Any]:
        """Gives R."""
        return {"rank": self.rank}

    def save(self, path: str | os.PathLike) -> None:
        """Writes one .safetensors file, which `jaxcompress.load` opens."""
        write_tensors(path, self._tensors(), self.file_format, self.metadata)

    def _tensors(self) -> dict[str, np.ndarray]:
        tensors = {"numbers": self.numbers, "basis": self.basis}
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        return tensors if self.words is None else {**tensors, "names": pack_names(self.words)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> "LowRank":
        """Makes the table that `save` wrote of the tensors and the metadata of its file."""
        words = unpack_names(tensors["names"]) if "names" in tensors else None
        return cls(tensors["numbers"], tensors["basis"], words, metadata)

    def _fill(self, ids: np.ndarray, rows: np.ndarray) -> None:
        np.matmul(self.numbers[ids], self.basis, out=rows)

    def _lookup(self, ids: Any) -> Any:
        import jax.numpy as jnp

        return jnp.asarray(self.numbers)[ids] @ jnp.asarray(self.basis)

    def _attend(self, query: Any) -> Any:
        """By way of the products with the basis."""
        import jax.numpy as jnp

        return (query @ jnp.asarray(self.basis).T) @ jnp.asarray(self.numbers).T
