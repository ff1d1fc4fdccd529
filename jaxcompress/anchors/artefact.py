"""The artefact of Anchor & Transform: sparse rows over a few anchors. NumPy only, but `lookup`."""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxcompress.errors import InputError
from jaxcompress.storage.ids import check_ids
from jaxcompress.storage.names import find_row, pack_names, unpack_names
from jaxcompress.storage.tensors import write_tensors

FORMAT = "jaxcompress.anchors"


ANCHORS_FILE = "anchors.safetensors"  # of a run's export


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SparseAnchors:
    """A table as sparse mixes of anchors: row v is `sum_j values[j] * anchors[indices[j]]`.

    j runs over the `counts[v]` entries of row v, which lie one row after another. Several tables
    (users and items) may lie below each other, each with anchors of its own; the last anchor of
    each is its mean row, of which rows that were never trained on are made.

    Attributes:
        counts: uint8 or uint16 [V], entries of each row.
        indices: uint8 or uint16 [nnz].
        values: float32 [nnz].
        anchors: float32 [K, D].
        names: the V names of the rows, or None where they are named by their number.
        parts: table -> (first row, end, first anchor, end).
        extras: further arrays that travel with the file: biases, a network.
        metadata: strings that travel with the file.
    """

    counts: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    anchors: np.ndarray
    names: Sequence[str] | None = None
    parts: Mapping[str, tuple[int, int, int, int]] = dataclasses.field(default_factory=dict)
    extras: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.anchors.ndim != 2 or not (self.counts.ndim == self.values.ndim == 1):
            raise InputError(
                f"counts {list(self.counts.shape)}, values {list(self.values.shape)}, anchors "
                f"{list(self.anchors.shape)}; expected [V], [nnz] and [K, D]."
            )
        if not self.counts.sum(dtype=np.int64) == len(self.values) == len(self.indices):
            raise InputError(
                f"{self.counts.sum(dtype=np.int64)} entries in all rows, {len(self.values)} values "
                f"and {len(self.indices)} indices; expected as many."
            )
        if len(self.indices) and self.indices.max() >= len(self.anchors):
            raise InputError(
                f"an index is {self.indices.max()}; there are {len(self.anchors)} anchors."
            )
        if self.names is not None and len(self.names) != self.num_rows:
            raise InputError(f"{len(self.names)} names and {self.num_rows} rows; expected as many.")

    @classmethod
    def from_csr(cls, transform: Any, anchors: np.ndarray, **others: Any) -> "SparseAnchors":
        """Makes it of a scipy.sparse matrix [V, K] and anchors [K, D]."""
        transform = transform.tocsr()
        counts = np.diff(transform.indptr)
        kinds = [np.uint8 if n < 256 else np.uint16 for n in (counts.max(initial=0), len(anchors))]
        return cls(
            counts.astype(kinds[0]),
            transform.indices.astype(kinds[1]),
            transform.data.astype(np.float32),
            np.asarray(anchors, np.float32),
            **others,
        )

    num_rows = property(lambda self: len(self.counts))
    num_anchors = property(lambda self: self.anchors.shape[0])
    dim = property(lambda self: self.anchors.shape[1])
    nnz = property(lambda self: len(self.values))

    def __len__(self) -> int:
        return self.num_rows

    def __repr__(self) -> str:
        return (
            f"SparseAnchors({self.num_rows} rows x {self.dim}, {self.num_anchors} anchors, "
            f"{self.nnz} non-zeros, {self.num_bytes():,} bytes)"
        )

    def num_bytes(self) -> int:
        """Bytes of values, indices, counts and anchors; names and extras are not counted."""
        arrays = (self.values, self.indices, self.counts, self.anchors)
        return sum(array.nbytes for array in arrays)

    def compression_ratio(self) -> float:
        """Bytes of the float32 table over `num_bytes()`."""
        return 4 * self.num_rows * self.dim / self.num_bytes()

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        return np.append(0, np.cumsum(self.counts, dtype=np.int64))

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def id_of(self, name: str | int) -> int:
        """Returns the row number of a name (or checks a row number).

        Raises:
            KeyError: where there is no such row.
        """
        return find_row(name, None if self.names is None else self._ids, self.num_rows)

    def __getitem__(self, name: str | int) -> np.ndarray:
        """`table["1193"]`: its row, float32 [D], by NumPy."""
        return self.decode([self.id_of(name)])[0]

    def part(self, name: str) -> "SparseAnchors":
        """One of several tables, as a table of its own.

        Raises:
            KeyError: where there is no such table.
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
        """Mixes rows with NumPy: int ids [B] (all rows if None) -> float32 [B, D].

        The cost is that of the rows' entries, never of the table.

        Raises:
            IndexError: where an id is out of range.
        """
        ids = np.arange(self.num_rows) if ids is None else check_ids(ids, self.num_rows)
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

    def lookup(self, ids: Any) -> Any:
        """Mixes rows with jax: int ids of any shape -> float32 [*ids.shape, D]; also under jit.

        The cost of a row is that of the row with most entries.

        Raises:
            IndexError: where an id is out of range and ids are not on a device.
        """
        import jax.numpy as jnp

        if isinstance(ids, (int, list, tuple, np.ndarray, np.integer)):
            ids = check_ids(ids, self.num_rows)
        indices, values, anchors = self._device_arrays
        ids = jnp.asarray(ids)
        return jnp.einsum("...j,...jd->...d", values[ids], anchors[indices[ids]])

    @functools.cached_property
    def _device_arrays(self):
        """Indices and values [V, most entries of a row], filled up with zeros; anchors."""
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
        """T as a scipy.sparse matrix [V, K]."""
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
    def of(cls, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> "SparseAnchors":
        """What `save` wrote, of the tensors of its file."""
        parts = {name: tuple(where) for name, where in json.loads(metadata.pop("parts")).items()}
        return cls(
            *(tensors[name] for name in ("counts", "indices", "values", "anchors")),
            unpack_names(tensors["names"]) if "names" in tensors else None,
            parts,
            {k[7:]: v for k, v in tensors.items() if k.startswith("extras.")},
            metadata,
        )


def stack(tables: Mapping[str, SparseAnchors], **others: Any) -> SparseAnchors:
    """Lays tables of one dimension below each other; row "1" of "items" becomes "items/1"."""
    parts, row, anchor, indices, names = {}, 0, 0, [], []
    for name, table in tables.items():
        parts[name] = (row, row + table.num_rows, anchor, anchor + table.num_anchors)
        indices.append(table.indices.astype(np.int64) + anchor)
        labels = table.names if table.names is not None else range(table.num_rows)
        names += [f"{name}/{label}" for label in labels]
        row, anchor = row + table.num_rows, anchor + table.num_anchors
    return SparseAnchors(
        np.concatenate([table.counts for table in tables.values()]),
        np.concatenate(indices).astype(np.uint8 if anchor <= 256 else np.uint16),
        np.concatenate([table.values for table in tables.values()]),
        np.concatenate([table.anchors for table in tables.values()]),
        names,
        parts,
        **others,
    )
