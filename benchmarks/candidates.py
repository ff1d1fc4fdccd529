"""What is compared at equal bytes in all: sizes of each method, their bytes, how they are fitted.

Bytes are those of the codes of all rows, and of what decodes them as each side stores it: float32
codebooks, rotations and scales of FAISS, float16 scales of integers. No words.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import quantizers

import jaxcompress

BITS = (4, 8)  # of FAISS's codes
PQ_BITS = (4, 6, 8)  # of PQ, whose codebooks are so small that others are worth a try
SPLITS = 4  # numbers of slices that PRQ and PLSQ are fitted with
OPQ_SHARES = (1, 0.75, 0.5, 0.25)  # of the dimensions that OPQ's rotation goes to
INTEGER_BITS = range(2, 9)
GROUPS = (64, 32)  # numbers that share a scale
USED = 0.85  # a size that leaves more of the budget unused is not fitted


class Kind(NamedTuple):
    """A method.

    Attributes:
        label: what a table calls a size of it; takes the size.
        bytes: dim and size -> bytes of a row, and of what decodes them. None: known once fitted.
        fit: table and size -> `Quantized`.
        is_faiss: whether a fit may take long, so that its time is predicted first.
    """

    label: Callable[..., str]
    bytes: Callable[..., tuple[int, int]] | None
    fit: Callable[..., quantizers.Quantized]
    is_faiss: bool = True


def additive_bytes(dim, num_codebooks, bits):
    return math.ceil(num_codebooks * bits / 8), 4 * num_codebooks * 2**bits * dim


def sliced_bytes(dim, num_splits, num_codebooks, bits):
    return math.ceil(num_splits * num_codebooks * bits / 8), 4 * num_codebooks * 2**bits * dim


def ours(table, num_bytes, codebook_type=None):
    """`compress` to so many bytes in all, which chooses the size and the type by itself."""
    kwargs = {} if codebook_type is None else {"codebook_type": codebook_type}
    started = time.perf_counter()
    codes = jaxcompress.compress(table, target_mb=num_bytes / 1e6, **kwargs)
    seconds = time.perf_counter() - started
    row_bytes = codes.codes_bytes // len(codes)
    return quantizers.Quantized(
        codes.decode, row_bytes, codes.num_bytes() - codes.codes_bytes, seconds, describe(codes)
    )


def describe(codes) -> str:
    """Names what `compress` chose, as "84 x 8, 4 shared and 20 groups, int8"."""
    groups = codes.groups
    sliced = f", {groups.num_shared} shared and {groups.num_groups} groups" if groups else ""
    return f"{codes.num_codebooks} x {codes.num_codewords}{sliced}, {codes.codebook_type}"


KINDS = {
    "ours": Kind(lambda budget: "ours", None, ours, False),
    "ours32": Kind(
        lambda budget: "ours, float32 codebooks",
        None,
        lambda table, budget: ours(table, budget, "float32"),
        False,
    ),
    "pq": Kind(
        lambda m, bits: f"FAISS PQ{m}x{bits}",
        lambda dim, m, bits: (math.ceil(m * bits / 8), 4 * 2**bits * dim),
        lambda table, m, bits: quantizers.product(table, m, bits, all_rows=True),
    ),
    "opq": Kind(
        lambda m, bits, dims: f"FAISS OPQ{m}_{dims},PQ{m}x{bits}",
        lambda dim, m, bits, dims: (math.ceil(m * bits / 8), 4 * (2**bits * dims + dim * dims)),
        lambda table, m, bits, dims: quantizers.opq(
            table, m, bits, same_shape=True, num_dims=dims, all_rows=True
        ),
    ),
    "rq": Kind(
        lambda m, bits: f"FAISS RQ{m}x{bits}, beam 5",
        additive_bytes,
        lambda table, m, bits: quantizers.additive(
            table, "ResidualQuantizer", m, bits, all_rows=True
        ),
    ),
    "lsq": Kind(
        lambda m, bits: f"FAISS LSQ{m}x{bits}",
        additive_bytes,
        lambda table, m, bits: quantizers.additive(table, "LocalSearchQuantizer", m, bits),
    ),
    "prq": Kind(
        lambda s, m, bits: f"FAISS PRQ{s}x{m}x{bits}",
        sliced_bytes,
        lambda table, s, m, bits: quantizers.product_additive(
            table, "ProductResidualQuantizer", s, m, bits, all_rows=True
        ),
    ),
    "plsq": Kind(
        lambda s, m, bits: f"FAISS PLSQ{s}x{m}x{bits}",
        sliced_bytes,
        lambda table, s, m, bits: quantizers.product_additive(
            table, "ProductLocalSearchQuantizer", s, m, bits
        ),
    ),
    "sq": Kind(
        lambda dims, bits: f"FAISS PCA{dims},SQ{bits}",
        lambda dim, dims, bits: (math.ceil(dims * bits / 8), 4 * (dims * dim + 3 * dims)),
        quantizers.scalar,
    ),
    "pca": Kind(
        lambda dims, bits: f"PCA to {dims}, int{bits}",
        lambda dim, dims, bits: (math.ceil(dims * bits / 8), 4 * (dims * dim + dim)),
        quantizers.scalar_pca,
        False,
    ),
    "int": Kind(
        lambda bits, group: f"int{bits}, groups of {group}",
        lambda dim, bits, group: (math.ceil(dim * bits / 8) + 2 * math.ceil(dim / group), 0),
        quantizers.integers,
        False,
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A size of a method; `size` is what the functions of its kind take."""

    kind: str
    size: tuple[int, ...]

    @property
    def key(self) -> str:
        return "-".join([self.kind, "x".join(map(str, self.size))])

    @property
    def label(self) -> str:
        return KINDS[self.kind].label(*self.size)

    @property
    def bits(self) -> int | None:
        """Bits of a code, if it is of FAISS."""
        at = {"pq": 1, "opq": 1, "rq": 1, "lsq": 1, "prq": 2, "plsq": 2, "sq": 1}.get(self.kind)
        return None if at is None else self.size[at]

    def num_bytes(self, num_rows: int, dim: int) -> int | None:
        """Counts the bytes in all; None if they are known only once it is fitted."""
        count = KINDS[self.kind].bytes
        if count is None:
            return None
        row_bytes, table_bytes = count(dim, *self.size)
        return num_rows * row_bytes + table_bytes

    def fit(self, table) -> quantizers.Quantized:
        return KINDS[self.kind].fit(table, *self.size)


def lsq_budget(num_rows: int, dim: int) -> int:
    """Counts the bytes of FAISS LSQ of 32 codebooks of 16 codewords."""
    return Candidate("lsq", (32, 4)).num_bytes(num_rows, dim)


def within(budget: int, num_rows: int, dim: int, kinds: Sequence[str]) -> list[Candidate]:
    """Lists, for each kind, the largest sizes of at most so many bytes in all."""

    def largest(kind, sizes) -> Iterator[Candidate]:
        """The last of the sizes that fits, if it uses most of the budget."""
        fitting = [
            candidate
            for candidate in (Candidate(kind, size) for size in sizes)
            if candidate.num_bytes(num_rows, dim) <= budget
        ]
        if fitting and fitting[-1].num_bytes(num_rows, dim) > USED * budget:
            yield fitting[-1]

    divisors = [s for s in range(2, dim) if dim % s == 0]
    found = [Candidate(kind, (budget,)) for kind in ("ours", "ours32")]
    for group in GROUPS:
        found += largest("int", [(bits, group) for bits in INTEGER_BITS])
    for bits in PQ_BITS:
        found += largest("pq", [(m, bits) for m in range(1, dim + 1)])
        found += largest("pq", [(m, bits) for m in (1, *divisors, dim)])
    for bits in BITS:
        for share in OPQ_SHARES:
            dims = math.ceil(share * dim)
            found += largest("opq", [(m, bits, -(-dims // m) * m) for m in range(1, dims + 1)])
        for kind in ("rq", "lsq"):
            found += largest(kind, [(m, bits) for m in range(1, 8 * dim)])
        for kind in ("prq", "plsq"):
            sliced = [
                candidate
                for s in divisors
                for candidate in largest(kind, [(s, m, bits) for m in range(2, dim)])
            ]
            found += reversed(spread(sliced, SPLITS))  # many slices take the least time
        found += largest("sq", [(dims, bits) for dims in range(1, dim + 1)])
        found += largest("pca", [(dims, bits) for dims in range(1, dim + 1)])
    return [c for c in dict.fromkeys(found) if c.kind in kinds]


def spread(items: list, count: int) -> list:
    """Takes so many items, the first and the last and others evenly between them."""
    if len(items) <= count:
        return items
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def integers(bits: Sequence[int]) -> list[Candidate]:
    """Lists integers of these bits in groups of both sizes; their bytes are what they are."""
    return [Candidate("int", (b, group)) for b in bits for group in GROUPS]
