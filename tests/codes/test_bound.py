import itertools
import math
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import jaxcompress
from jaxcompress import InputError, rate_distortion_bound


def rows_of(*variances):
    """Rows with exactly these variances (over N) along the axes, uncorrelated."""
    dim = len(variances)
    return np.concatenate([np.eye(dim), -np.eye(dim)]) * np.sqrt(dim * np.array(variances))


def by_bisection(variances, bits):
    """The same by the theorem's own two equations, the level found by halving an interval."""
    low, high = 0.0, max(variances)
    for _ in range(200):
        level = (low + high) / 2
        spent = sum(max(0.0, 0.5 * math.log2(v / level)) for v in variances)
        low, high = (level, high) if spent > bits else (low, level)
    return sum(min(v, level) for v in variances)


@pytest.mark.parametrize(
    ("variances", "bits", "expected"),
    [
        ((4, 1), 0, 5),
        ((4, 1), 0.5, 3),  # half a bit halves the larger one: 2 + 1
        ((4, 1), 1, 2),  # down to the smaller one: 1 + 1
        ((4, 1), 2, 1),  # then both: level 1/2, 1/2 bit and 3/2 bits
        ((16, 4, 1), 1, 9),  # 4 + 4 + 1
        ((16, 4, 1), 3, 3),  # 1 + 1 + 1
        ((16, 4, 1), 6, 0.75),  # a bit each: 3/4
        ((16, 4, 0), 3, 2),  # 1 + 1 + 0
        ((9, 9), 1, 9),  # half a bit each
        ((7,), 3, 7 / 64),
    ],
)
def test_the_water_level_by_hand(variances, bits, expected):
    assert rate_distortion_bound(rows_of(*variances), bits) == pytest.approx(expected, rel=1e-12)


def test_the_closed_form_is_what_bisection_finds():
    rng = np.random.default_rng(0)
    for bits in (0.01, 1, 7.5, 40, 300):
        variances = rng.exponential(size=20) ** 3
        expected = by_bisection(variances, bits)
        assert rate_distortion_bound(rows_of(*variances), bits) == pytest.approx(
            expected, rel=1e-9, abs=0
        )


def test_a_white_source_loses_six_decibels_a_bit():
    dim, variance = 12, 0.3
    for bits in (0, 1, 16, 128):
        expected = dim * variance * 2 ** (-2 * bits / dim)
        assert rate_distortion_bound(rows_of(*[variance] * dim), bits) == pytest.approx(
            expected, rel=1e-12, abs=0
        )


def test_no_bits_leave_the_variance_and_more_bits_leave_less():
    rows = np.random.default_rng(0).normal(size=(9000, 6)) ** 3 + 5
    bounds = [rate_distortion_bound(rows, bits) for bits in (0, 0.1, 1, 5, 20, 100)]
    assert bounds[0] == pytest.approx(rows.var(axis=0).sum(), rel=1e-12)
    assert all(b < a for a, b in itertools.pairwise(bounds))


def test_rotation_and_shift_change_nothing():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 8)) * np.geomspace(1, 0.01, 8)
    rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    expected = rate_distortion_bound(rows, 10)
    for other in (rows @ rotation, rows + 1000, 3 + rows[::-1] @ rotation):
        assert rate_distortion_bound(other, 10) == pytest.approx(expected, rel=1e-9)
    assert rate_distortion_bound(10 * rows, 10) == pytest.approx(100 * expected, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16, np.int8])
def test_tables_of_every_type_are_summed_in_double(dtype):
    rows = (4 * np.random.default_rng(0).normal(size=(20_000, 5)) + 20).astype(dtype)
    expected = rate_distortion_bound(rows.astype(np.float64), 6)
    assert rate_distortion_bound(rows, 6) == pytest.approx(expected, rel=1e-12)


def test_directions_without_variance_need_no_bits():
    rng = np.random.default_rng(0)
    line = rng.normal(size=(1000, 1))
    inside = line @ rng.normal(size=(1, 30))
    total = inside.var(axis=0).sum()
    assert rate_distortion_bound(inside, 40) == pytest.approx(total * 2.0**-80, rel=1e-6, abs=0)
    assert rate_distortion_bound(np.full((10, 3), 0.5), 8) == 0.0
    assert rate_distortion_bound(np.ones((1, 3)), 0) == 0.0


def test_what_it_cannot_take_is_one_line():
    rows = np.random.default_rng(0).normal(size=(10, 3))
    bad = rows.copy()
    bad[4, 1] = np.inf
    for arguments, message in (
        ((rows[0], 8), r"vectors have shape \[3\]; expected \[rows, dimensions\]"),
        ((rows[:0], 8), r"vectors have shape \[0, 3\]"),
        ((bad, 8), "vectors: row 4"),
        ((rows, -1), "bits_per_row is -1; it must be a number of at least 0"),
        ((rows, math.nan), "bits_per_row is nan"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            jaxcompress.rate_distortion_bound(*arguments)
        assert "\n" not in str(caught.value)


def test_it_needs_no_jax():
    program = (
        "import sys, numpy, jaxcompress\n"
        "jaxcompress.rate_distortion_bound(numpy.eye(3), 1)\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
