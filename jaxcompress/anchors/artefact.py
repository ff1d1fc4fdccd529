"""What is kept of tables of mixes: sparse rows over a few anchors, in one file.

All of it is NumPy but `lookup`, so that reading and decoding load no jax.

Axis letters: V rows, K anchors, D dimensions, B ids asked for; nnz entries that are not zero.
"""

import dataclasses
import functools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxcompress.errors import InputError
from jaxcompress.storage.ids import check_id_type, check_ids
from jaxcompress.storage.names import (
    check_names,
    find_row,
    number_rows,
    pack_names,
    unpack_names,
)
from jaxcompress.storage.tensors import write_tensors

FORMAT = "jaxcompress.anchors"  # says in a file what it holds
ANCHORS_FILE = "anchors.safetensors"  # its name in a run's export
_CHUNK = 4096  # rows decoded at a time


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SparseAnchors:
    """A table as sparse mixes of anchors: row v is `sum_j values[j] * anchors[indices[j]]`.

    j runs over the `counts[v]` entries of row v, which lie one row after another (CSR). Several
    tables, users and items, may lie below each other, each with anchors of its own.

    Attributes:
        counts: uint8 or uint16 [V], entries of each row.
        indices: uint8 or uint16 [nnz], the anchor of each entry.
        values: float32 [nnz].
        anchors: float32 [K, D].
        names: names of the rows; None: they are named by their numbers.
        parts: tables by name, if there are several: (first row, end, first anchor, end).
        extras: further arrays that travel with the file: biases, a network.
        metadata: strings that travel with the file.

    >>> table = SparseAnchors.from_csr(np.array([[2.0, 0.0], [1.0, 3.0]]), np.eye(2))
    >>> table
    SparseAnchors(2 rows x 2, 2 anchors, 3 non-zeros, 33 bytes)
    >>> table.decode([1, 0])
    array([[1., 3.],
           [2., 0.]], dtype=float32)
    """

    counts: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    anchors: np.ndarray
    names: Sequence[str] | None = None
    parts: Mapping[str, tuple[int, int, int, int]] = dataclasses.field(default_factory=dict)
    extras: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.anchors.ndim != 2 or not (self.counts.ndim == self.values.ndim == 1):
            raise InputError(
                f"counts {list(self.counts.shape)}, values {list(self.values.shape)}, anchors "
                f"{list(self.anchors.shape)}; expected [V], [nnz] and [K, D]."
            )
        if not self.counts.sum(dtype=np.int64) == len(self.values) == len(self.indices):
            raise InputError(
                f"{self.counts.sum(dtype=np.int64)} entries in all rows, {len(self.values)} values "
                f"and {len(self.indices)} indices; expected equal numbers."
            )
        if len(self.indices) and self.indices.max() >= len(self.anchors):
            raise InputError(
                f"an index is {self.indices.max()}; there are {len(self.anchors)} anchors."
            )
        if self.names is not None:
            check_names(self.names, self.num_rows, "name")

    @classmethod
    def from_csr(cls, transform: Any, anchors: np.ndarray, **others: Any) -> "SparseAnchors":
        """Makes a table of a transform and anchors.

        Args:
            transform: T [V, K], a matrix of scipy.sparse or NumPy.
            anchors: A [K, D].
            **others: further attributes: `names`, `extras`, ...
        """
        import scipy.sparse

        transform = scipy.sparse.csr_matrix(transform)
        counts = np.diff(transform.indptr)
        return cls(
            counts.astype(_smallest_type(counts.max(initial=0))),
            transform.indices.astype(_smallest_type(len(anchors))),
            transform.data.astype(np.float32),
            np.asarray(anchors, np.float32),
            **others,
        )

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: the fields, without what was computed from them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def num_rows(self) -> int:
        """V."""
        return len(self.counts)

    @property
    def num_anchors(self) -> int:
        """K, over all tables."""
        return int(self.anchors.shape[0])

    @property
    def dim(self) -> int:
        """D."""
        return int(self.anchors.shape[1])

    @property
    def nnz(self) -> int:
        """Entries that are stored."""
        return len(self.values)

    def __len__(self) -> int:
        return self.num_rows

    def __repr__(self) -> str:
        return (
            f"SparseAnchors({self.num_rows} rows x {self.dim}, {self.num_anchors} anchors, "
            f"{self.nnz} non-zeros, {self.num_bytes():,} bytes)"
        )

    def num_bytes(self) -> int:
        """Counts the bytes of values, indices, counts and anchors, without names and extras."""
        arrays = (self.values, self.indices, self.counts, self.anchors)
        return sum(array.nbytes for array in arrays)

    def compression_ratio(self) -> float:
        """Divides the bytes of the float32 table by `num_bytes()`."""
        return 4 * self.num_rows * self.dim / self.num_bytes()

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        return np.append(0, np.cumsum(self.counts, dtype=np.int64))

    @functools.cached_property
    def _ids(self) -> dict[str, int] | None:
        return None if self.names is None else number_rows(self.names)

    def id_of(self, name: Any) -> int:
        """Finds the number of a row by its name, or checks a number.

        Raises:
            KeyError: if there is no such row.
        """
        return find_row(name, self._ids, self.num_rows)

    def __contains__(self, name: Any) -> bool:
        try:
            self.id_of(name)
        except KeyError:
            return False
        return True

    def __getitem__(self, name: Any) -> np.ndarray:
        """`table["1193"]`: decodes one row by its name, float32 [D]."""
        return self.decode(self.id_of(name))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Decodes the rows one after another, float32 [D] each."""
        for start in range(0, self.num_rows, _CHUNK):
            yield from self.decode(range(start, min(start + _CHUNK, self.num_rows)))

    def part(self, name: str) -> "SparseAnchors":
        """Takes one of several tables: `table.part("items")`, rows named without `items/`.

        Raises:
            KeyError: if there is no such table.
        """
        if name not in self.parts:
            raise KeyError(f"no table {name!r}; there are {', '.join(self.parts) or 'none'}")
        first, end, first_anchor, end_anchor = self.parts[name]
        entries = slice(self._starts[first], self._starts[end])
        names = None
        if self.names is not None:
            names = [n.removeprefix(f"{name}/") for n in self.names[first:end]]
        return SparseAnchors(
            self.counts[first:end],
            self.indices[entries] - self.indices.dtype.type(first_anchor),
            self.values[entries],
            self.anchors[first_anchor:end_anchor],
            names,
            metadata=self.metadata,
        )

    def decode(self, ids: Any = None) -> np.ndarray:
        """Mixes rows with NumPy: int ids of any shape -> float32 [*ids.shape, D].

        The cost is that of the rows' entries, never of the whole table.

        Args:
            ids: numbers of rows, one of them too; None: all rows.

        Raises:
            InputError: if ids are no integers.
            IndexError: if an id is out of range.
        """
        ids = np.arange(self.num_rows) if ids is None else check_ids(ids, self.num_rows)
        return self._mix(ids.reshape(-1)).reshape(*ids.shape, self.dim)

    def _mix(self, ids: np.ndarray) -> np.ndarray:
        """Mixes rows: int ids [B] -> float32 [B, D]."""
        counts = self.counts[ids].astype(np.int64)
        rows = np.zeros((len(ids), self.dim), np.float32)
        ends = np.cumsum(counts)
        there = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
        there += np.repeat(self._starts[ids], counts)
        mixed = self.values[there, None] * self.anchors[self.indices[there]]
        if len(mixed):
            used = counts > 0
            rows[used] = np.add.reduceat(mixed, (ends - counts)[used])
        return rows

    def mean_row(self) -> np.ndarray:
        """Computes the mean of all rows, float32 [D]: what to take for a user or an item not there.

        Of several tables, ask a `part`. Rows that a run never trained are this mean themselves.
        """
        weights = np.bincount(self.indices, self.values, minlength=self.num_anchors)
        return (weights @ self.anchors / self.num_rows).astype(np.float32)

    def lookup(self, ids: Any) -> Any:
        """Mixes rows with jax: int ids of any shape -> float32 [*ids.shape, D]; also under jit.

        The cost of a row is that of the row with most entries.

        Raises:
            InputError: if ids are no integers.
            IndexError: if an id is out of range and ids are not on a device.
        """
        import jax
        import jax.numpy as jnp

        if isinstance(ids, jax.Array):
            check_id_type(ids.dtype)
        else:
            ids = jnp.asarray(check_ids(ids, self.num_rows))
        indices, values, anchors = self._device_arrays
        return jnp.einsum("...j,...jd->...d", values[ids], anchors[indices[ids]])

    @functools.cached_property
    def _device_arrays(self) -> tuple[Any, Any, Any]:
        """Indices and values [V, most entries of a row], padded with zeros; anchors."""
        import jax
        import jax.numpy as jnp

        width = int(self.counts.max(initial=0))
        indices = np.zeros((self.num_rows, width), self.indices.dtype)
        values = np.zeros((self.num_rows, width), np.float32)
        there = np.arange(width) < self.counts[:, None]
        indices[there], values[there] = self.indices, self.values
        with jax.ensure_compile_time_eval():  # arrays, not tracers, also when first used in a jit
            return jnp.asarray(indices), jnp.asarray(values), jnp.asarray(self.anchors)

    def to_csr(self) -> Any:
        """Makes T, a scipy.sparse matrix [V, K]; `to_csr() @ anchors` is the whole table."""
        import scipy.sparse

        return scipy.sparse.csr_matrix(
            (self.values, self.indices.astype(np.int32), self._starts),
            shape=(self.num_rows, self.num_anchors),
        )

    def save(self, path: str | os.PathLike) -> None:
        """Writes one .safetensors file, which `jaxcompress.load` opens."""
        tensors = {
            "counts": self.counts,
            "indices": np.ascontiguousarray(self.indices),
            "values": np.ascontiguousarray(self.values),
            "anchors": np.ascontiguousarray(self.anchors),
            **{f"extras.{name}": np.asarray(v, order="C") for name, v in self.extras.items()},
        }
        if self.names is not None:
            tensors["names"] = pack_names(self.names)
        write_tensors(path, tensors, FORMAT, {**self.metadata, "parts": json.dumps(self.parts)})

    @classmethod
    def from_tensors(
        cls, tensors: dict[str, np.ndarray], metadata: dict[str, str]
    ) -> "SparseAnchors":
        """Makes the table that `save` wrote of the tensors and the metadata of its file."""
        prefix = "extras."
        return cls(
            counts=tensors["counts"],
            indices=tensors["indices"],
            values=tensors["values"],
            anchors=tensors["anchors"],
            names=unpack_names(tensors["names"]) if "names" in tensors else None,
            parts={name: tuple(part) for name, part in json.loads(metadata["parts"]).items()},
            extras={k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)},
            metadata={k: v for k, v in metadata.items() if k != "parts"},
        )


def _smallest_type(largest: int) -> type[np.unsignedinteger]:
    """The dtype of numbers up to `largest`."""
    return np.uint8 if largest < 256 else np.uint16


def stack(tables: Mapping[str, SparseAnchors], **others: Any) -> SparseAnchors:
    """Lays tables of one dimension below each other; row "1" of "items" becomes "items/1".

    Args:
        tables: the tables by name, in order.
        **others: further attributes: `extras`, `metadata`.
    """
    parts, row, anchor, indices, names = {}, 0, 0, [], []
    for name, table in tables.items():
        parts[name] = (row, row + table.num_rows, anchor, anchor + table.num_anchors)
        indices.append(table.indices.astype(np.int64) + anchor)
        labels = table.names if table.names is not None else range(table.num_rows)
        names += [f"{name}/{label}" for label in labels]
        row, anchor = row + table.num_rows, anchor + table.num_anchors
    return SparseAnchors(
        np.concatenate([table.counts for table in tables.values()]),
        np.concatenate(indices).astype(_smallest_type(anchor - 1)),
        np.concatenate([table.values for table in tables.values()]),
        np.concatenate([table.anchors for table in tables.values()]),
        names,
        parts,
        **others,
    )
