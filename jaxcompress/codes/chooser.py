"""Which codes are best within a number of bytes: M, K, groups and the codebooks' type together.

Nothing is trained: the error of every size that fits is predicted from the covariance of the rows.
Codes that span all dimensions reach a part of the Gaussian rate-distortion bound (`bound.py`). What
they leave is coded slice by slice, and a slice knows of its own covariance alone: the bound of the
slices takes the place of the whole's, in return for codebooks of a G-th of the bytes. How far
codes stay above the bound was measured on Gaussian rows (`docs/benchmarks.md`, "Codes: the choice
of a size"). Of a small table codebooks know more than its covariance; there the prediction is too
high for large codebooks.

Axis letters: N rows, D dimensions, M codebooks, K codewords, G groups.
"""

import bisect
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxcompress.codes.bound import covariance, water_filling, water_level
from jaxcompress.codes.codebook_types import count_bytes
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.integers import integer_bytes, quantize
from jaxcompress.codes.sizes import MAX_CODEBOOKS
from jaxcompress.errors import InputError
from jaxcompress.storage.bits import code_bits

CODEWORDS = (4, 8, 16)  # K to try; larger codebooks weigh too much, and two codewords search slowly
_SHARED_BITS = (1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2)  # a dimension, before groups
_MAX_SHARED = 1024  # M*K of codebooks that are searched together
_MAX_WIDTH, _MIN_WIDTH = 192, 4  # dimensions of a group
_SAMPLE = 65_536  # rows whose covariance is taken
_INTEGER_SAMPLE = 1024  # rows that integers are tried on
# What rounded codebooks add to the error, as a share of the variance of the rows: measured for int8
# on real tables, and times four for each bit less. What is added before groups these code as well.
_ROUNDING = {"float16": 0.0, "int8": 6.6e-5, "int6": 1.1e-3, "int5": 4.7e-3, "int4": 2.1e-2}
_GROUPED = ("int8", "float16")  # whose rounding is small beside the errors that groups leave
# How far above the bound codes stay, by K, by the first bit a dimension and by the second:
# codebooks that were all trained, on real tables, whose clusters large codebooks can follow; and
# those with others drawn at random, for which further bits cost more and more.
_TRAINED = {4: (0.45, 0.25), 8: (0.2, 0.25), 16: (0.02, 0.25)}
_DRAWN = {4: (0.45, 0.18), 8: (0.3, 0.13), 16: (0.2, 0.2)}
_FURTHER = (0.2, 0.22)  # times the bits above two, and times their square


class Choice(NamedTuple):
    """A size of codes.

    Attributes:
        num_shared: codebooks that span all dimensions.
        num_codewords: K.
        num_groups: G; 1 if there are no groups.
        per_group: codebooks of each group; 0 if there are no groups.
        codebook_type: how files hold the codebooks.
        num_bytes: of codes and codebooks.
        error: the mean squared L2 that is predicted.
    """

    num_shared: int
    num_codewords: int
    num_groups: int
    per_group: int
    codebook_type: str
    num_bytes: int
    error: float

    def __str__(self) -> str:
        groups = f", and {self.num_groups} groups of {self.per_group}" if self.per_group else ""
        return f"{self.num_shared} x {self.num_codewords}{groups}, codebooks {self.codebook_type}"


def choose_size(
    rows: np.ndarray,
    target_mb: float,
    codebook_type: str | None = None,
    max_codewords: int = 16,
    can_group: bool = True,
) -> Choice:
    """Chooses the codes of least predicted error within a target.

    Args:
        rows: float [N, D].
        target_mb: of codes and codebooks together, in 10^6 bytes.
        codebook_type: that of the codebooks; None: float16 or integers, the best.
        max_codewords: the largest K for which there are rows to train on.
        can_group: whether codebooks may lie in groups.

    Raises:
        InputError: if nothing fits, or the target has room for the vectors themselves.
    """
    num_rows, dim = rows.shape
    target = math.floor(round(target_mb * 1e6, 3))  # 1.1 * 1e6 lies above 1,100,000
    if target >= 4 * num_rows * dim:
        raise InputError(
            f"target_mb is {target_mb}; {num_rows:,} rows x {dim} are only "
            f"{4 * num_rows * dim / 1e6} MB of float32; give less."
        )
    types = tuple(_ROUNDING) if codebook_type is None else (codebook_type,)
    codewords = [k for k in CODEWORDS if k <= max_codewords]
    spectra = _Spectra(rows)
    choices = [
        choice
        for kind in types
        for k in codewords
        for choice in _choices(spectra, (num_rows, dim), target, k, kind)
        if not choice.per_group or (can_group and (kind in _GROUPED or codebook_type))
    ]
    if not choices:
        least = min(
            _bytes(num_rows, dim, 1, k, Groups(1, 1), kind) for k in CODEWORDS for kind in types
        )
        raise InputError(
            f"target_mb is {target_mb}; {num_rows:,} rows x {dim} take at least {least / 1e6} MB "
            "as codes; give as much or more."
        )
    return min(choices, key=lambda choice: choice.error)


def integers_note(rows: np.ndarray, target_mb: float, error: float) -> str | None:
    """Says so if plain integers within the target have a smaller error than codes are expected to.

    Args:
        rows: float [N, D].
        target_mb: in 10^6 bytes.
        error: mean squared L2 of the codes, as it is predicted.

    Returns:
        One line, with the integers' error over a sample of rows; None if codes should be better.
    """
    target = math.floor(round(target_mb * 1e6, 3))
    kinds = [
        (bits, group)
        for bits in range(2, 9)
        for group in (64, 32)
        if integer_bytes(*rows.shape, bits, group) <= target
    ]
    if not kinds:
        return None
    step = max(1, len(rows) // _INTEGER_SAMPLE)
    sample = np.asarray(rows[::step][:_INTEGER_SAMPLE], np.float32)
    most = max(bits for bits, _ in kinds)
    errors = {
        kind: float(np.square(sample - quantize(sample, *kind).decoded).sum(axis=1).mean())
        for kind in kinds
        if kind[0] == most
    }
    (bits, group), least = min(errors.items(), key=lambda item: item[1])
    if least >= error:
        return None
    megabytes = integer_bytes(*rows.shape, bits, group) / 1e6
    return (
        f"plain integers may be better: int{bits} in groups of {group} takes {megabytes:.5g} MB "
        f"and has a mean squared L2 of {least:.3g}; of the codes {error:.3g} is expected, or less "
        "if the table is small."
    )


def _choices(
    spectra: "_Spectra", shape: tuple[int, int], target: int, num_codewords: int, kind: str
) -> Iterator[Choice]:
    """Gives the largest size within the target for each layout."""
    bits = code_bits(num_codewords)
    rounding = _ROUNDING.get(kind, 0.0) * float(spectra.whole.sum())

    def choice(groups: Groups, each: int, bound: float) -> Choice:
        num_codebooks = groups.num_shared + groups.num_groups * each
        rate = num_codebooks * bits / shape[1]
        error = bound * excess(num_codewords, rate, is_trained=not each)
        error += 0.0 if each else rounding
        taken = _bytes(*shape, num_codebooks, num_codewords, groups, kind)
        return Choice(groups.num_shared, num_codewords, groups.num_groups, each, kind, taken, error)

    most = min(MAX_CODEBOOKS, _MAX_SHARED // num_codewords)
    count = bisect.bisect_right(
        range(1, most + 1), target,
        key=lambda m: _bytes(*shape, m, num_codewords, Groups(m, 1), kind),
    )  # fmt: skip
    if count:
        yield choice(Groups(count, 1), 0, water_filling(spectra.whole, count * bits))
    for num_groups in _divisors(shape[1]):
        for share in _SHARED_BITS:
            shared = max(1, round(share * shape[1] / bits))
            if shared > most:
                continue
            groups = Groups(shared, num_groups)
            each = bisect.bisect_right(
                range(1, MAX_CODEBOOKS * 4 // num_groups), target,
                key=lambda m: _bytes(
                    *shape, shared + num_groups * m, num_codewords, groups, kind
                ),
            )  # fmt: skip
            if each:
                left = spectra.left(shared * bits, num_groups)
                bound = water_filling(left, num_groups * each * bits)
                yield choice(groups, each, bound)


def excess(num_codewords: int, rate: float, is_trained: bool = False) -> float:
    """Tells how far above the bound codes stay, by measurement, at so many bits a dimension.

    >>> [round(excess(k, rate), 2) for k in (4, 16) for rate in (0.5, 1, 2, 3)]
    [1.23, 1.45, 1.63, 2.05, 1.1, 1.2, 1.4, 1.82]

    Args:
        num_codewords: K.
        rate: bits of a row by D.
        is_trained: whether all codebooks were trained before refinement, and none drawn at random.
    """
    first, second = (_TRAINED if is_trained else _DRAWN)[num_codewords]
    further = max(rate - 2, 0)
    more = _FURTHER[0] * further + _FURTHER[1] * further**2
    return 1 + first * min(rate, 1) + second * min(max(rate - 1, 0), 1) + more


def _bytes(
    num_rows: int, dim: int, num_codebooks: int, num_codewords: int, groups: Groups, kind: str
) -> int:
    codes = num_rows * math.ceil(num_codebooks * code_bits(num_codewords) / 8)
    return codes + count_bytes((num_codebooks, num_codewords, dim), kind, True, groups)


def _divisors(dim: int) -> list[int]:
    """Lists the numbers of groups to try."""
    return [g for g in range(2, dim + 1) if dim % g == 0 and _MIN_WIDTH <= dim // g <= _MAX_WIDTH]


class _Spectra:
    """The variances of rows along principal axes, and of what codes leave along those of slices.

    Attributes:
        whole: float64 [D].
    """

    def __init__(self, rows: np.ndarray) -> None:
        step = max(1, len(rows) // _SAMPLE)
        values, self._axes = np.linalg.eigh(covariance(rows[::step]))
        self.whole = np.maximum(values, 0.0)
        self._left: dict[tuple[int, int], np.ndarray] = {}

    def left(self, num_bits: int, num_groups: int) -> np.ndarray:
        """Gives the variances [D] that slices have to code after codes of so many bits.

        Such codes leave, at best, the water level of every axis above it.
        """
        key = num_bits, num_groups
        if key not in self._left:
            level = water_level(self.whole, num_bits)
            left = (self._axes * np.minimum(self.whole, level)) @ self._axes.T
            width = len(left) // num_groups
            parts = [left[i : i + width, i : i + width] for i in range(0, len(left), width)]
            values = np.concatenate([np.linalg.eigvalsh(part) for part in parts])
            self._left[key] = np.maximum(values, 0.0)
        return self._left[key]
