"""Tables as small integers: each group of a row's numbers has a scale. The simplest peer of codes.

A group of G numbers is `scale * level`, with a float16 scale and one of 2**b levels a number, as in
the block formats of GGML (github.com/ggml-org/ggml, `ggml-quants.c`). The scale is that of least
squared error, found by search.

Axis letters: N rows, D dimensions, G numbers of a group, C groups that are fitted together.
"""

import math
from typing import NamedTuple

import numpy as np

from jaxcompress.errors import InputError

_CHUNK = 2**18  # numbers that are fitted together; they fit a cache
_TOP = 15  # the largest number lies below 2**_TOP in the unit of the scales
_LARGEST = np.float32(np.finfo(np.float16).max)
# scales to try, over the one that just reaches the largest value; and then over the best of these
_WIDE = np.append(np.geomspace(0.12, 1.1, 32), 1).astype(np.float32)
_CLOSE = np.geomspace(0.95, 1.06, 8).astype(np.float32)
_ROUNDS = 3  # of levels and scale in turn, after each search
_LEVELS = ("half", "whole")


class Integers(NamedTuple):
    """A table as integers, read back.

    Attributes:
        decoded: float32 [N, D].
        num_bytes: of integers and scales, as `integer_bytes` counts them.
    """

    decoded: np.ndarray
    num_bytes: int


def integer_bytes(num_rows: int, dim: int, bits: int, group: int) -> int:
    """Counts the bytes of integers and scales: N * (ceil(D*b / 8) + 2*ceil(D / G)).

    >>> integer_bytes(num_rows=1, dim=300, bits=3, group=64)  # 112.5 and 5 scales
    123
    """
    return num_rows * (math.ceil(dim * bits / 8) + 2 * math.ceil(dim / group))


def quantize(rows: np.ndarray, bits: int, group: int) -> Integers:
    """Rounds a table to integers of b bits in groups of G with float16 scales, and reads it back.

    Of two kinds of levels the better one is taken for the table: whole, -2**(b-1) to 2**(b-1) - 1,
    whose scale may be negative; and half, -(2**b - 1) / 2 to (2**b - 1) / 2 in steps of 1, without
    a zero. No offsets are kept. A group's scale is never worse than the one that just reaches its
    largest value. The last group of a row may be short.

    Scales are multiples of a power of two that depends on the largest value of the table, so that
    float16 holds them in any unit; this one number is not counted.

    >>> rows = np.array([[0.5, -1.5, 1.5, -0.5, 20.0, 60.0]], np.float32)
    >>> quantize(rows, bits=2, group=4)  # half levels; scales 1 and 40
    Integers(decoded=array([[ 0.5, -1.5,  1.5, -0.5, 20. , 60. ]], dtype=float32), num_bytes=6)

    Args:
        rows: float [N, D], finite.
        bits: b, 2 to 8.
        group: G, numbers that share a scale.

    Raises:
        InputError: if bits or group are out of bounds.
    """
    if not 2 <= bits <= 8:
        raise InputError(f"bits is {bits}; it must be 2 to 8.")
    if group < 1:
        raise InputError(f"group is {group}; it must be at least 1.")
    num_rows, dim = rows.shape
    largest = max((float(np.abs(row).max()) for row in rows if row.size), default=0.0)
    exponent = _TOP - math.frexp(largest)[1]
    fitted = [np.empty((num_rows, dim), np.float32) for _ in _LEVELS]
    errors = [0.0 for _ in _LEVELS]
    whole = dim - dim % group
    step = max(1, _CHUNK // dim) if dim else 1
    for start in range(0, num_rows, step):
        part = np.ldexp(rows[start : start + step].astype(np.float32), exponent)
        for first, last, size in ((0, whole, group), (whole, dim, dim - whole)):
            if first == last:
                continue
            groups = part[:, first:last].reshape(-1, size)
            for i, levels in enumerate(_LEVELS):
                decoded = _round_groups(groups, bits, levels)
                errors[i] += float(np.square(groups - decoded).sum(dtype=np.float64))
                decoded = np.ldexp(decoded, -exponent).reshape(len(part), -1)
                fitted[i][start : start + step, first:last] = decoded
    best = int(np.argmin(errors))
    return Integers(fitted[best], integer_bytes(num_rows, dim, bits, group))


def _round_groups(groups: np.ndarray, bits: int, levels: str) -> np.ndarray:
    """Rounds groups to levels times a scale each, of nearly the least squared error.

    Args:
        groups: float32 [C, G].
        bits: b.
        levels: "half" or "whole".

    Returns:
        float32 [C, G], the groups as they are read back.
    """
    half, offset = 2 ** (bits - 1), 0.5 if levels == "half" else 0.0
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(axis=1)[:, None], axis=1)
    # Whole levels have one more below zero: it is given to the side of the largest value.
    sign = np.where((levels == "whole") & (extreme > 0), np.float32(-1), np.float32(1))
    groups = groups * sign
    scales = np.zeros(len(groups), np.float32)
    errors = np.square(groups).sum(axis=1)

    def try_scales(tried):
        tried = np.clip(tried, 0, _LARGEST).astype(np.float16).astype(np.float32)
        scaled, nearest = _find_levels(groups, tried, half, offset)
        scaled -= nearest
        found = np.einsum("cg,cg->c", scaled, scaled) * np.square(tried)
        better = (tried > 0) & (found < errors)
        scales[better], errors[better] = tried[better], found[better]

    def search(center, factors):
        for factor in factors:
            try_scales(center * factor)
        for _ in range(_ROUNDS):  # the scale of least squared error for these levels
            _, nearest = _find_levels(groups, scales, half, offset)
            squares = np.einsum("cg,cg->c", nearest, nearest)
            try_scales(np.einsum("cg,cg->c", groups, nearest) / np.where(squares > 0, squares, 1))

    search(np.abs(extreme[:, 0]) / (half - 1 + offset), _WIDE)
    search(scales.copy(), _CLOSE)
    _, nearest = _find_levels(groups, scales, half, offset)
    return nearest * (scales[:, None] * sign)


def _find_levels(
    groups: np.ndarray, scales: np.ndarray, half: int, offset: float
) -> tuple[np.ndarray, np.ndarray]:
    """Divides groups [C, G] by their scales [C], and finds the level nearest to each number.

    Scales of zero count as 1. Levels are -half to half - 1, each plus the offset.
    """
    scaled = groups / np.where(scales > 0, scales, 1)[:, None]
    nearest = scaled + np.float32(0.5 - offset)
    np.floor(nearest, out=nearest)
    np.clip(nearest, -half, half - 1, out=nearest)
    nearest += np.float32(offset)
    return scaled, nearest
