"""Files of codes: bit-packing, the .safetensors artefact, the references' text, word2vec's text.

NumPy only. Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import math

import numpy as np

_CHUNK = 4096  # rows packed or written at a time


def code_bits(num_codewords: int) -> int:
    """Bits of one code: ceil(log2 K)."""
    return (num_codewords - 1).bit_length()


def code_type(num_codewords: int) -> type:
    """The smallest unsigned type that holds a code."""
    return np.uint8 if num_codewords <= 256 else np.uint16


def pack_codes(codes: np.ndarray, num_codewords: int) -> np.ndarray:
    """Packs each row's codes, low bit first: int [N, M] -> uint8 [N, ceil(M*bits/8)]."""
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
    """The inverse of `pack_codes`: uint8 [N, bytes] -> uint8 or uint16 [N, M]."""
    bits, num_rows = code_bits(num_codewords), len(packed)
    codes = np.empty((num_rows, num_codebooks), code_type(num_codewords))
    weights = (1 << np.arange(bits)).astype(np.uint16)
    for start in range(0, num_rows, _CHUNK):
        flags = np.unpackbits(
            packed[start : start + _CHUNK], axis=1, count=num_codebooks * bits, bitorder="little"
        )
        codes[start : start + _CHUNK] = flags.reshape(len(flags), num_codebooks, bits) @ weights
    return codes
