"""What is kept of tables of mixes: sparse rows over a few anchors, in one file.

All of it is NumPy but `lookup` and `attend`, so that reading and decoding load no jax.

Axis letters: V rows, K anchors, D dimensions, B ids asked for; nnz entries that are not zero, W of
the row that has most.
"""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxcompress.anchors.files import ANCHORS_FILE, FORMAT, pack, unpack
from jaxcompress.anchors.neighbours import bound_errors, sum_products
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.errors import InputError
from jaxcompress.storage.names import check_names
from jaxcompress.storage.tensors import count_bytes, write_tensors


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SparseAnchors(CompressedTable):
    """A table as sparse mixes of anchors: row v is `sum_j values[j] * anchors[indices[j]]`.

    j runs over the `counts[v]` entries of row v, which lie one row after another (CSR). Several
    tables, users and items, may lie below each other, each with anchors of its own.

    Attributes:
        counts: uint8, uint16 or uint32 [V], entries of each row.
        indices: uint8, uint16 or uint32 [nnz], the anchor of each entry.
        values: float32 [nnz].
        anchors: float32 [K, D].
        words: names of the rows; None: they are named by their numbers.
        parts: tables by name, if there are several: (first row, end, first anchor, end).
        extras: further arrays that travel with the file: biases, a network.
        metadata: strings that travel with the file.

    >>> table = SparseAnchors.from_csr(np.array([[2.0, 0.0], [1.0, 3.0]]), np.eye(2))
    >>> table
    SparseAnchors(2 rows x 2, 2 anchors, 3 non-zeros, 33 bytes)
    >>> table.decode([1, 0])
    array([[1., 3.],
           [2., 0.]], dtype=float32)

    Raises:
        InputError: if shapes, indices or words do not fit each other.
    """

    kind: ClassVar[str] = "anchors"
    file_format: ClassVar[str] = FORMAT
    file_name: ClassVar[str] = ANCHORS_FILE

    counts: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    anchors: np.ndarray
    words: Sequence[str] | None = None
    parts: Mapping[str, tuple[int, int, int, int]] = dataclasses.field(default_factory=dict)
    extras: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in (("counts", None), ("indices", None), ("values", np.float32),
                           ("anchors", np.float32)):  # fmt: skip
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind))
        if self.words is not None and not isinstance(self.words, Sequence):  # an array, a generator
            object.__setattr__(self, "words", list(self.words))
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
        for name in ("counts", "indices"):
            object.__setattr__(self, name, _as_small(getattr(self, name), name))
        if len(self.indices) and self.indices.max() >= self.num_anchors:
            raise InputError(
                f"an index is {self.indices.max()}; there are {self.num_anchors} anchors."
            )
        if self.words is not None:
            check_names(self.words, self.num_rows, "name")

    @classmethod
    def from_csr(cls, transform: Any, anchors: np.ndarray, **others: Any) -> "SparseAnchors":
        """Makes a table of a transform and anchors.

        Args:
            transform: T [V, K], a matrix of scipy.sparse or NumPy.
            anchors: A [K, D].
            **others: further attributes: `words`, `extras`, ...

        Raises:
            InputError: if they do not fit each other.
        """
        import scipy.sparse

        transform = scipy.sparse.csr_matrix(transform)
        return cls(np.diff(transform.indptr), transform.indices, transform.data, anchors, **others)

    @property
    def num_rows(self) -> int:
        """V."""
        return len(self.counts)

    @property
    def names(self) -> Sequence[str] | None:
        """`words`, as releases before 0.1 called them."""
        return self.words

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

    def __repr__(self) -> str:
        return (
            f"SparseAnchors({self.num_rows} rows x {self.dim}, {self.num_anchors} anchors, "
            f"{self.nnz} non-zeros, {self.num_bytes():,} bytes)"
        )

    def num_bytes(self) -> int:
        """Counts the bytes of values, indices, counts and anchors, without names and extras."""
        return sum(array.nbytes for array in self._arrays.values())

    @property
    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in ("counts", "indices", "values", "anchors")}

    def figures(self) -> dict[str, Any]:
        """Gives K, entries in all and of a row on average, and the tables below each other."""
        return {
            "num_anchors": self.num_anchors,
            "nonzeros": self.nnz,
            "nonzeros_per_row": self.nnz / max(self.num_rows, 1),
            "tables": list(self.parts),
        }

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        return np.append(0, np.cumsum(self.counts, dtype=np.int64))

    def part(self, name: str) -> "SparseAnchors":
        """Takes one of several tables: `table.part("items")`, rows named without `items/`.

        Raises:
            KeyError: if there is no such table.
        """
        if name not in self.parts:
            raise KeyError(f"no table {name!r}; there are {', '.join(self.parts) or 'none'}")
        first, end, first_anchor, end_anchor = self.parts[name]
        entries = slice(self._starts[first], self._starts[end])
        words = None
        if self.words is not None:
            words = [word.removeprefix(f"{name}/") for word in self.words[first:end]]
        return SparseAnchors(
            self.counts[first:end],
            self.indices[entries].astype(np.int64) - first_anchor,
            self.values[entries],
            self.anchors[first_anchor:end_anchor],
            words,
            metadata=self.metadata,
        )

    def _fill(self, ids: np.ndarray, rows: np.ndarray) -> None:
        counts = self.counts[ids].astype(np.int64)
        ends = np.cumsum(counts)
        there = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
        there += np.repeat(self._starts[ids], counts)
        mixed = self.values[there, None] * self.anchors[self.indices[there]]
        if len(mixed):
            used = counts > 0
            rows[used] = np.add.reduceat(mixed, (ends - counts)[used])

    def _products(self, query: np.ndarray) -> np.ndarray:
        return sum_products(**self._arrays, query=query)

    @functools.cached_property
    def _product_errors(self) -> np.ndarray:
        return bound_errors(**self._arrays)

    def mean_row(self) -> np.ndarray:
        """Computes the mean of all rows, float32 [D]: what to take for a user or an item not there.

        Of several tables, ask a `part`. Rows that a run never trained are this mean themselves.
        """
        weights = np.bincount(self.indices, self.values, minlength=self.num_anchors)
        return (weights @ self.anchors / self.num_rows).astype(np.float32)

    def _lookup(self, ids: Any) -> Any:
        """The cost of a row is that of the row with most entries."""
        import jax.numpy as jnp

        indices, values, anchors = self._device_arrays
        return jnp.einsum("...j,...jd->...d", values[ids], anchors[indices[ids]])

    def _attend(self, query: Any) -> Any:
        """By way of the products with the anchors, one entry of all rows at a time."""
        import jax
        import jax.numpy as jnp

        indices, values, anchors = self._device_arrays
        products = query @ anchors.T
        add = lambda logits, entry: (logits + entry[1] * products[..., entry[0]], None)
        start = jnp.zeros((*products.shape[:-1], self.num_rows), products.dtype)
        return jax.lax.scan(add, start, (indices.T, values.T))[0]

    @functools.cached_property
    def _device_arrays(self) -> tuple[Any, Any, Any]:
        """Indices and values [V, W], padded with zeros; anchors."""
        import jax
        import jax.numpy as jnp

        width = int(self.counts.max(initial=0))
        indices = np.zeros((self.num_rows, width), self.indices.dtype)
        values = np.zeros((self.num_rows, width), np.float32)
        there = np.arange(width) < self.counts[:, None]
        indices[there], values[there] = self.indices, self.values
        with jax.ensure_compile_time_eval():  # arrays, not tracers, also when first used in a jit
            return jnp.asarray(indices), jnp.asarray(values), jnp.asarray(self.anchors)

    def predict(self, users: Any, items: Any) -> np.ndarray:
        """Predicts ratings with NumPy, of the tables of users and items that a run leaves.

        They are those of the run's test figures. A user or an item that is not there has the mean
        row and no bias, so that what is known of the other side counts.

        Args:
            users: ids as the ratings have them, one or an array of any shape.
            items: ids likewise; the shapes are broadcast.

        Returns:
            float32, of the shape of both.

        Raises:
            InputError: if these are no tables of users and items, or ids are no strings or whole
                numbers.
        """
        return self._recommender.predict(users, items)

    def recommend(self, user: Any, k: int = 10, *, exclude: Sequence[Any] = ()) -> list:
        """Ranks all items for a user with NumPy, but for those that the run has seen of the user.

        Opened as a workdir or a file in its export, the tables know the training and validation
        ratings; a file that was moved away from `seen.safetensors` does not.

        Args:
            user: an id as the ratings have it; one that is not there gets what the mean user does.
            k: items at most.
            exclude: ids of further items that are left out.

        Returns:
            Ids of items and their predicted ratings, the best first.

        Raises:
            InputError: as `predict`, or if k is less than 1.
        """
        return self._recommender.recommend(user, k, exclude)

    @functools.cached_property
    def _recommender(self) -> Any:
        from jaxcompress.anchors.recommender import Recommender  # here, since few tables need it

        return Recommender(self)

    def to_csr(self) -> Any:
        """Makes T, a scipy.sparse matrix [V, K]; `to_csr() @ anchors` is the whole table."""
        import scipy.sparse

        return scipy.sparse.csr_matrix(
            (self.values, self.indices.astype(np.int32), self._starts),
            shape=(self.num_rows, self.num_anchors),
        )

    def save(self, path: str | os.PathLike) -> None:
        """Writes one .safetensors file, which `jaxcompress.load_anchors` opens."""
        tensors, metadata = self._contents()
        write_tensors(path, tensors, FORMAT, metadata)

    def file_bytes(self) -> int:
        """Counts the bytes of the whole file that `save` writes, for which it packs all of it."""
        tensors, metadata = self._contents()
        return count_bytes(tensors, FORMAT, metadata)

    def _contents(self) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Gives the tensors and the metadata of a file."""
        return pack(self._arrays, self.words, self.parts, self.extras, self.metadata)

    @classmethod
    def from_tensors(
        cls, tensors: dict[str, np.ndarray], metadata: dict[str, str]
    ) -> "SparseAnchors":
        """Makes the table that `save` wrote of the tensors and the metadata of its file."""
        return cls(**unpack(tensors, metadata))


def _as_small(numbers: np.ndarray, noun: str) -> np.ndarray:
    """Checks that numbers are integers of at least 0, and gives them in the smallest type."""
    if not numbers.size:
        return numbers.astype(np.uint8)
    if numbers.dtype.kind not in "iu" or numbers.min() < 0:
        raise InputError(
            f"{noun} are {numbers.dtype} from {numbers.min()} on; expected integers of at least 0."
        )
    return numbers.astype(np.min_scalar_type(int(numbers.max())), copy=False)


def stack(tables: Mapping[str, SparseAnchors], **others: Any) -> SparseAnchors:
    """Lays tables of one dimension below each other; row "1" of "items" becomes "items/1".

    Args:
        tables: the tables by name, in order.
        **others: further attributes: `extras`, `metadata`.
    """
    parts, row, anchor, indices, words = {}, 0, 0, [], []
    for name, table in tables.items():
        parts[name] = (row, row + table.num_rows, anchor, anchor + table.num_anchors)
        indices.append(table.indices.astype(np.int64) + anchor)
        words += [f"{name}/{word}" for word in table._all_words()]
        row, anchor = row + table.num_rows, anchor + table.num_anchors
    return SparseAnchors(
        np.concatenate([table.counts for table in tables.values()]),
        np.concatenate(indices),
        np.concatenate([table.values for table in tables.values()]),
        np.concatenate([table.anchors for table in tables.values()]),
        words,
        parts,
        **others,
    )
