"""Sizes of codes: the bytes that they take, and those that fit a target.

Axis letters: N rows, D dimensions, M codebooks, K codewords.
"""

import bisect
import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxcompress.errors import InputError
from jaxcompress.storage.bits import code_bits

MAX_CODEBOOKS, MAX_CODEWORDS, MAX_PRODUCT = 1024, 65_536, 2**20  # of M, of K, of M*K


class Size(NamedTuple):
    """M codebooks of K codewords."""

    num_codebooks: int
    num_codewords: int

    def __str__(self) -> str:
        return f"{self.num_codebooks} x {self.num_codewords}"

    def bits_per_row(self) -> int:
        """Bits of one row's codes: M * ceil(log2 K)."""
        return self.num_codebooks * code_bits(self.num_codewords)

    def bytes_per_row(self) -> int:
        """Bytes of one row's codes, filled up to whole ones."""
        return math.ceil(self.bits_per_row() / 8)

    def codebook_bytes(self, dim: int) -> int:
        """Bytes of codebooks of D dimensions, as float32."""
        return 4 * self.num_codebooks * self.num_codewords * dim

    def num_bytes(self, num_rows: int, dim: int) -> int:
        """Bytes of codes and codebooks of N x D, as `Codes.num_bytes` counts them."""
        return num_rows * self.bytes_per_row() + self.codebook_bytes(dim)

    def is_possible(self) -> bool:
        """Whether it lies within what a model may have."""
        product = self.num_codebooks * self.num_codewords
        return self.num_codebooks <= MAX_CODEBOOKS and product <= MAX_PRODUCT


def within_target(
    target_mb: float, num_rows: int, dim: int, codewords: Sequence[int], max_codewords: int
) -> list[Size]:
    """Finds the most codebooks that fit, for each K; one for which no size is possible is left out.

    Args:
        target_mb: 10^6 bytes of codes and codebooks together.
        num_rows: N.
        dim: D.
        codewords: K, in the order of the result.
        max_codewords: the largest K that there are rows to train with.

    Raises:
        InputError: where nothing is left, with the least that is possible where it is too little;
            and where the target has room for the vectors themselves.
    """
    target = math.floor(round(target_mb * 1e6, 3))  # 1.1 * 1e6 lies above 1,100,000
    if target >= 4 * num_rows * dim:
        raise InputError(
            f"target_mb is {target_mb}; {num_rows:,} rows x {dim} are only "
            f"{4 * num_rows * dim / 1e6} MB of float32; give less."
        )
    trained = [k for k in codewords if k <= max_codewords]
    if not trained:
        raise InputError(
            f"sweep.num_codewords are from {min(codewords)}; there are {max_codewords} rows to "
            "train on in the sample; take fewer codewords or more sweep.num_rows."
        )
    fitting = [size for k in trained if (size := _largest(target, num_rows, dim, k)).num_codebooks]
    if not fitting:
        least = min((Size(1, k) for k in trained), key=lambda size: size.num_bytes(num_rows, dim))
        raise InputError(
            f"target_mb is {target_mb}; {num_rows:,} rows x {dim} take at least "
            f"{least.num_bytes(num_rows, dim) / 1e6} MB ({least} codes); give as much or more."
        )
    possible = [size for size in fitting if size.is_possible()]
    if not possible:
        raise InputError(
            f"target_mb is {target_mb}, room for more than {MAX_CODEBOOKS:,} codebooks or "
            "2^20 codewords; give less, or larger sweep.num_codewords."
        )
    return possible


def _largest(target: int, num_rows: int, dim: int, num_codewords: int) -> Size:
    """The most codebooks, perhaps none, that fit in so many bytes: these rise with M."""
    counts = range(1, target // Size(1, num_codewords).codebook_bytes(dim) + 1)
    return Size(
        bisect.bisect_right(
            counts, target, key=lambda m: Size(m, num_codewords).num_bytes(num_rows, dim)
        ),
        num_codewords,
    )


def at_bytes_per_row(
    bytes_per_row: Sequence[int], codewords: Sequence[int], max_codewords: int
) -> list[Size]:
    """Finds all sizes whose codes take exactly so many bytes a row, no bit of them empty.

    Args:
        bytes_per_row: bytes of a row's codes.
        codewords: K.
        max_codewords: the largest K that there are rows to train with.

    Raises:
        InputError: where there are none.
    """
    sizes = [
        Size(8 * count // code_bits(k), k)
        for count in bytes_per_row
        for k in codewords
        if k <= max_codewords and 8 * count % code_bits(k) == 0
    ]
    possible = [size for size in sizes if size.is_possible()]
    if not possible:
        raise InputError(
            f"no size of {_list(codewords)} codewords takes exactly {_list(bytes_per_row)} bytes "
            f"a row and has at most {MAX_CODEBOOKS:,} codebooks and, of {max_codewords:,} rows to "
            "train on, one a codeword; change sweep.num_codewords or sweep.bytes_per_row."
        )
    return possible


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
