"""Codes as bits: ceil(log2 K) of them each, row by row, every row filled up to whole bytes.

Axis letters: N rows, M codebooks, K codewords.
"""

import math

import numpy as np

_CHUNK = 4096  # rows packed at a time


def code_bits(num_codewords: int) -> int:
    """Counts the bits of one code: ceil(log2 K).

    >>> [code_bits(k) for k in (2, 16, 17, 256)]
    [1, 4, 5, 8]
    """
    return (num_codewords - 1).bit_length()


def code_type(num_codewords: int) -> type[np.uint8] | type[np.uint16]:
    """Chooses the smallest unsigned type that holds a code."""
    return np.uint8 if num_codewords <= 256 else np.uint16


def pack_codes(codes: np.ndarray, num_codewords: int) -> np.ndarray:
    """Packs the codes of each row, low bit first: int [N, M] -> uint8 [N, ceil(M*bits/8)].

    >>> pack_codes(np.array([[1, 15, 2]]), num_codewords=16)  # 1 + 15 * 16, then 2
    array([[241,   2]], dtype=uint8)
    """
    bits, (num_rows, num_codebooks) = code_bits(num_codewords), codes.shape
    packed = np.empty((num_rows, math.ceil(num_codebooks * bits / 8)), np.uint8)
    shifts = np.arange(bits, dtype=np.uint16)
    for start in range(0, num_rows, _CHUNK):
        chunk = codes[start : start + _CHUNK].astype(np.uint16)
        flags = ((chunk[:, :, None] >> shifts) & 1).astype(np.uint8)
        packed[start : start + _CHUNK] = np.packbits(
            flags.reshape(len(chunk), -1), axis=1, bitorder="little"
        )
    return packed


def unpack_codes(packed: np.ndarray, num_codebooks: int, num_codewords: int) -> np.ndarray:
    """Undoes `pack_codes`: uint8 [N, bytes] -> uint8 or uint16 [N, M]."""
    bits, num_rows = code_bits(num_codewords), len(packed)
    codes = np.empty((num_rows, num_codebooks), code_type(num_codewords))
    weights = (1 << np.arange(bits)).astype(np.uint16)
    for start in range(0, num_rows, _CHUNK):
        flags = np.unpackbits(
            packed[start : start + _CHUNK], axis=1, count=num_codebooks * bits, bitorder="little"
        )
        codes[start : start + _CHUNK] = flags.reshape(len(flags), num_codebooks, bits) @ weights
    return codes
