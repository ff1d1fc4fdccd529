"""How files hold codebooks: as float32, float16 or integers, and without what is known to be 0.

Rows stay what they are if each codeword of a codebook has the last one of that codebook subtracted,
and the first codebook gets it added. This is `fold`: all codebooks but the first then end with a
codeword of zeros, which is not stored (`is_folded`). Of codebooks in groups only the slices are.

- float32: the numbers themselves.
- float16: times a power of two, so that neither large nor small tables leave the range of float16.
- int8, int6, int5, int4: each codeword has a scale, a bfloat16, and its largest number is +-127
  times that, or +-31, +-15, +-7. The first codebook is held as float16 if it spans all dimensions,
  since it has the mean of the table. Below 8 bits numbers of a codeword are packed as codes are.

What a file holds is float32 in memory, and exactly what comes out of it again: `round_codebooks`.

Axis letters: M codebooks, K codewords, D dimensions, S codebooks that span all dimensions, G groups
of E codebooks each, L stored codewords (K, or K-1 if the last one is not stored).
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.codes.groups import Groups
from jaxcompress.errors import InputError
from jaxcompress.storage.bits import pack_codes, unpack_codes

_BITS = {"float32": 32, "float16": 16, "int8": 8, "int6": 6, "int5": 5, "int4": 4}
CODEBOOK_TYPES = tuple(_BITS)
_SCALE_BYTES = 2  # of a codeword of integers
_TOP = 15  # float16 holds numbers below 2**15 with all digits, and some above
_LARGEST, _SMALLEST = 2.0**127, 2.0**-110  # of what is rounded; the scale must be a normal bfloat16


class Stored(NamedTuple):
    """Codebooks as a file holds them.

    Attributes:
        tensors: "codebooks.first" [K, D], if a codebook spans all dimensions; "codebooks.shared"
            [S-1, L, D], if more do; and "codebooks.grouped" [G, E, L, D/G], if some do not. For
            integers also "codebooks.shared.scales" [S-1, L] and "codebooks.grouped.scales"
            [G, E, L], uint16, the upper halves of float32 numbers. Of less than 8 bits, the last
            axis is uint8 [ceil(D*bits/8)], or of D/G.
        layout: what else a reader has to know, for JSON.
    """

    tensors: dict[str, np.ndarray]
    layout: dict[str, Any]


def check_codebook_type(codebook_type: str, noun: str = "codebook_type") -> None:
    """Raises InputError if there is no such type."""
    if codebook_type not in CODEBOOK_TYPES:
        raise InputError(
            f"{noun} is {codebook_type!r}; it must be one of {', '.join(CODEBOOK_TYPES)}."
        )


def is_integers(codebook_type: str) -> bool:
    """Tells whether a type is one of integers with a scale a codeword."""
    return codebook_type.startswith("int")


def can_fold(groups: Groups | None) -> bool:
    """Tells whether the first codebook spans all dimensions, and so can take what others lose."""
    return groups is None or groups.num_shared > 0


def is_folded(codebooks: np.ndarray, groups: Groups | None = None) -> bool:
    """Tells whether all codebooks [M, K, D] but the first end with zeros, which need no storing.

    A zero with a minus is none of them, so that float32 comes back to the bit.
    """
    return can_fold(groups) and not np.ascontiguousarray(codebooks[1:, -1]).view(np.uint32).any()


def fold(codebooks: np.ndarray, groups: Groups | None = None) -> np.ndarray:
    """Moves the last codewords of all other codebooks into the first; rows stay what they are.

    >>> fold(np.array([[[1.0], [2.0]], [[10.0], [30.0]]], np.float32)).tolist()
    [[[31.0], [32.0]], [[-20.0], [0.0]]]

    Args:
        codebooks: float32 [M, K, D].
        groups: if no codebook of theirs spans all dimensions, nothing can be moved.

    Returns:
        float32 [M, K, D]; each number is rounded once.
    """
    if not can_fold(groups) or is_folded(codebooks, groups):
        return codebooks
    folded = codebooks.astype(np.float64)
    last = folded[1:, -1:].copy()
    folded[1:] -= last
    folded[0] += last.sum(axis=0)
    return folded.astype(np.float32)


def round_codebooks(
    codebooks: np.ndarray, codebook_type: str, groups: Groups | None = None
) -> np.ndarray:
    """Gives the numbers that a file of a type holds: float32 [M, K, D], both.

    What is rounded already stays as it is, bit for bit.

    >>> codebooks = np.array([[[1.0, 0.3]], [[127.0, 0.3]]], np.float32)
    >>> round_codebooks(codebooks, "int8").tolist()
    [[[1.0, 0.300048828125]], [[127.0, 0.0]]]

    Raises:
        InputError: if numbers are not finite, or too large or all too small for the type.
    """
    if codebook_type == "float32":
        return codebooks
    return restore(*store(codebooks, codebook_type, groups), groups)


def store(codebooks: np.ndarray, codebook_type: str, groups: Groups | None = None) -> Stored:
    """Makes what a file holds of codebooks float32 [M, K, D], in the short form if they are folded.

    Raises:
        InputError: if the type cannot hold them, or they are not 0 outside of their groups.
    """
    check_codebook_type(codebook_type)
    shared, grouped = _split(codebooks, groups)
    is_short = is_folded(codebooks, groups)
    parts = {"first": shared[0]} if len(shared) else {}
    kept = slice(None, -1) if is_short else slice(None)
    if len(shared) > 1:
        parts["shared"] = shared[1:, kept]
    if grouped.size:
        parts["grouped"] = grouped[:, :, kept]
    layout: dict[str, Any] = {"type": codebook_type, "short": is_short}
    tensors = {f"codebooks.{name}": np.ascontiguousarray(part) for name, part in parts.items()}
    if codebook_type == "float32":
        return Stored(tensors, layout)
    _check_range(codebooks)
    is_integer, bits = is_integers(codebook_type), _BITS[codebook_type]
    if is_integer:
        layout["dim"] = codebooks.shape[2]
    halves = [name for name in tensors if not is_integer or name.endswith(".first")]
    layout["exponent"] = exponent = _exponent([tensors[name] for name in halves])
    for name in list(tensors):
        if name in halves:
            tensors[name] = np.ldexp(tensors[name].astype(np.float64), -exponent).astype(np.float16)
        else:
            tensors[name], tensors[f"{name}.scales"] = _to_integers(tensors[name], bits)
    return Stored(tensors, layout)


def restore(
    tensors: Mapping[str, np.ndarray], layout: Mapping[str, Any], groups: Groups | None = None
) -> np.ndarray:
    """Undoes `store`: float32 [M, K, D]."""
    parts = {}
    for name in ("first", "shared", "grouped"):
        if (part := tensors.get(f"codebooks.{name}")) is not None:
            scales = tensors.get(f"codebooks.{name}.scales")
            if scales is None:
                parts[name] = _to_float32(part, layout.get("exponent", 0))
            else:
                split = groups.num_groups if groups is not None and name == "grouped" else 1
                whole = _unpack(part, _BITS[layout["type"]], layout.get("dim", 0) // split)
                parts[name] = whole.astype(np.float32) * _from_bfloat16(scales)[..., None]
    if layout["short"]:
        for name in parts.keys() - {"first"}:
            padding = [(0, 0)] * (parts[name].ndim - 2) + [(0, 1), (0, 0)]
            parts[name] = np.pad(parts[name], padding)
    shared = [parts["first"][None]] if "first" in parts else []
    shared += [parts["shared"]] if "shared" in parts else []
    if groups is None or "grouped" not in parts:
        return np.concatenate(shared)
    grouped = parts["grouped"]
    dim = grouped.shape[0] * grouped.shape[-1]
    empty = np.zeros((0, grouped.shape[2], dim), np.float32)
    return groups.join(np.concatenate([empty, *shared]), grouped)


def count_bytes(
    shape: tuple[int, int, int],
    codebook_type: str,
    is_short: bool,
    groups: Groups | None = None,
) -> int:
    """Counts the bytes of what `store` makes of codebooks, scales included.

    >>> count_bytes((3, 4, 10), "float16", is_short=True)  # 4 codewords, and twice 3
    200

    Args:
        shape: M, K and D.
        codebook_type: one of `CODEBOOK_TYPES`.
        is_short: whether they are folded.
        groups: which codebooks lie in which groups; None: none do.
    """
    num_codebooks, num_codewords, dim = shape
    num_shared, num_groups = groups or Groups(num_codebooks, 1)
    stored = num_codewords - is_short
    grouped = (num_codebooks - num_shared) * stored  # codewords
    shared = max(num_shared - 1, 0) * stored
    first = num_codewords if num_shared else 0
    bits, scale = _BITS[codebook_type], _SCALE_BYTES * is_integers(codebook_type)
    widths = first * dim * max(bits // 8, 2)
    widths += shared * (math.ceil(dim * bits / 8) + scale)
    return widths + grouped * (math.ceil(dim // num_groups * bits / 8) + scale)


def _split(codebooks: np.ndarray, groups: Groups | None) -> tuple[np.ndarray, np.ndarray]:
    """Takes codebooks apart, [S, K, D] and [G, E, K, D/G]; nothing may be lost by it."""
    if groups is None or groups.num_shared == len(codebooks):
        return codebooks, np.zeros((0, 0, 0, 0), np.float32)
    shared, grouped = groups.split(codebooks)
    if np.count_nonzero(grouped) != np.count_nonzero(codebooks[groups.num_shared :]):
        raise InputError(
            "codebooks of a group have numbers outside of its dimensions; expected zeros there."
        )
    return shared, grouped


def _check_range(codebooks: np.ndarray) -> None:
    largest = float(np.abs(codebooks).max(initial=0.0))
    if largest and not _SMALLEST <= largest < _LARGEST:  # NaN is refused too
        raise InputError(
            f"codebooks have numbers up to {largest:.2g}; only float32 holds them. Multiply the "
            "table by a power of two to round its codebooks."
        )


def _exponent(parts: list[np.ndarray]) -> int:
    """Finds e such that the largest number times 2**-e is from 2**14 to 2**15.

    The largest number is taken as float16 rounds it. Of numbers that are rounded already e is
    therefore the same, and so are all their digits.
    """
    largest = max((float(np.abs(part).max(initial=0.0)) for part in parts), default=0.0)
    if not largest:
        return 0
    fraction, exponent = math.frexp(largest)
    rounded = float(np.float16(fraction))
    return exponent + (rounded == 1.0) - _TOP


def _to_integers(values: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Rounds codewords [..., L, D]: int8 of that shape, or packed; and scales uint16 [..., L]."""
    largest = np.abs(values).max(axis=-1, initial=0.0).astype(np.float64)
    scales = _to_bfloat16((largest / _top(bits)).astype(np.float32))
    steps = _from_bfloat16(scales).astype(np.float64)[..., None]
    whole = np.rint(np.divide(values, steps, out=np.zeros(values.shape), where=steps > 0))
    if bits == 8:
        return whole.astype(np.int8), scales
    positive = (whole + _top(bits)).astype(np.uint8).reshape(-1, values.shape[-1])
    packed = pack_codes(positive, 2**bits)
    return packed.reshape(*values.shape[:-1], packed.shape[-1]), scales


def _unpack(part: np.ndarray, bits: int, width: int) -> np.ndarray:
    """Undoes the packing: integers [..., L, width]."""
    if bits == 8:
        return part
    positive = unpack_codes(part.reshape(-1, part.shape[-1]), width, 2**bits)
    return positive.reshape(*part.shape[:-1], width).astype(np.int8) - np.int8(_top(bits))


def _top(bits: int) -> int:
    """The largest integer of so many bits; the least is its negative."""
    return 2 ** (bits - 1) - 1


def _to_float32(part: np.ndarray, exponent: int) -> np.ndarray:
    if part.dtype == np.float32:
        return part
    return np.ldexp(part.astype(np.float64), exponent).astype(np.float32)


def _to_bfloat16(values: np.ndarray) -> np.ndarray:
    """Rounds float32 to its upper half, uint16; what is below the normal numbers becomes 0."""
    bits = values.view(np.uint32)
    bits = bits + 0x7FFF + (bits >> 16 & 1)  # to the nearest, to the even one of two
    bits = np.where(values < 2.0**-126, 0, bits)
    return (bits >> 16).astype(np.uint16)


def _from_bfloat16(halves: np.ndarray) -> np.ndarray:
    return (halves.astype(np.uint32) << 16).view(np.float32)
