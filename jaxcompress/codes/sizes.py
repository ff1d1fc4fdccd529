"""Sizes of codes: the bytes that M codebooks of K codewords take, and sizes of so many bytes a row.

Axis letters: N rows, D dimensions, M codebooks, K codewords.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxcompress.codes.codebook_types import can_fold, count_bytes
from jaxcompress.codes.groups import Groups
from jaxcompress.errors import InputError
from jaxcompress.storage.bits import code_bits

DEFAULT_TYPE = "float16"  # of codebooks that `compress` makes, unless their error needs float32
MAX_CODEBOOKS, MAX_CODEWORDS, MAX_PRODUCT = 1024, 65_536, 2**20  # bounds of M, K and M*K


class Size(NamedTuple):
    """M codebooks of K codewords.

    Their bytes are counted as `jaxcompress.compress` makes them: all codebooks but the first have a
    codeword of zeros, which is not stored.

    >>> size = Size(num_codebooks=3, num_codewords=8)
    >>> size.bits_per_row, size.bytes_per_row, size.num_bytes(num_rows=1000, dim=10)
    (9, 2, 2440)
    """

    num_codebooks: int
    num_codewords: int

    def __str__(self) -> str:
        return f"{self.num_codebooks} x {self.num_codewords}"

    @property
    def bits_per_row(self) -> int:
        """Bits of the codes of one row: M * ceil(log2 K)."""
        return self.num_codebooks * code_bits(self.num_codewords)

    @property
    def bytes_per_row(self) -> int:
        """Bytes of the codes of one row, filled up to whole bytes."""
        return math.ceil(self.bits_per_row / 8)

    def codebook_bytes(
        self, dim: int, groups: Groups | None = None, codebook_type: str = DEFAULT_TYPE
    ) -> int:
        """Counts the bytes of codebooks of D dimensions.

        Args:
            dim: D.
            groups: which codebooks lie in which groups; None: all span all dimensions.
            codebook_type: one of `codebook_types.CODEBOOK_TYPES`.
        """
        return count_bytes((*self, dim), codebook_type, can_fold(groups), groups)

    def num_bytes(
        self,
        num_rows: int,
        dim: int,
        groups: Groups | None = None,
        codebook_type: str = DEFAULT_TYPE,
    ) -> int:
        """Counts the bytes of codes and codebooks of N rows, as `Codes.num_bytes` does.

        The other arguments are those of `codebook_bytes`.
        """
        return num_rows * self.bytes_per_row + self.codebook_bytes(dim, groups, codebook_type)

    def is_valid(self) -> bool:
        """Tells whether M and M*K are within the bounds of a model."""
        product = self.num_codebooks * self.num_codewords
        return self.num_codebooks <= MAX_CODEBOOKS and product <= MAX_PRODUCT


def at_bytes_per_row(
    bytes_per_row: Sequence[int], codewords: Sequence[int], max_codewords: int
) -> list[Size]:
    """Finds all sizes whose codes fill exactly so many bytes per row, without an unused bit.

    Args:
        bytes_per_row: bytes of the codes of one row, one or more numbers.
        codewords: the K to try.
        max_codewords: the largest K for which there are enough rows to train on.

    Raises:
        InputError: if there is no such size.
    """
    sizes = [
        Size(8 * count // code_bits(k), k)
        for count in bytes_per_row
        for k in codewords
        if k <= max_codewords and 8 * count % code_bits(k) == 0
    ]
    valid = [size for size in sizes if size.is_valid()]
    if not valid:
        raise InputError(
            f"no size of {_list(codewords)} codewords takes exactly {_list(bytes_per_row)} bytes "
            f"per row and has at most {MAX_CODEBOOKS:,} codebooks and, for {max_codewords:,} rows "
            f"to train on, at most {max_codewords:,} codewords; change sweep.num_codewords or "
            "sweep.bytes_per_row."
        )
    return valid


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
