import numpy as np
import pytest

from jaxcompress import InputError
from jaxcompress.codes.integers import integer_bytes, quantize


def mean_square(rows, decoded):
    return float(np.square(rows.astype(np.float64) - decoded).mean())


def rounded_by_largest(rows, bits, group):
    """The simplest way: the largest value of a group is the last whole level, -L to L."""
    last = 2 ** (bits - 1) - 1
    decoded = np.empty_like(rows)
    for start in range(0, rows.shape[1], group):
        part = rows[:, start : start + group]
        scale = (np.abs(part).max(axis=1) / last).astype(np.float16).astype(np.float32)[:, None]
        scale = np.maximum(scale, np.float32(1e-30))
        decoded[:, start : start + group] = np.clip(np.round(part / scale), -last, last) * scale
    return decoded


@pytest.mark.parametrize(
    ("num_rows", "dim", "bits", "group", "expected"),
    [
        (1, 64, 8, 64, 64 + 2),
        (10, 300, 3, 64, 10 * (113 + 2 * 5)),  # 112.5 bytes are filled up
        (10, 300, 2, 32, 10 * (75 + 2 * 10)),
        (7, 5, 2, 64, 7 * (2 + 2)),
        (0, 5, 2, 64, 0),
    ],
)
def test_bytes_are_integers_and_scales(num_rows, dim, bits, group, expected):
    assert integer_bytes(num_rows, dim, bits, group) == expected
    rows = np.ones((num_rows, dim), np.float32)
    decoded, num_bytes = quantize(rows, bits, group)
    assert num_bytes == expected
    assert decoded.shape == rows.shape
    assert decoded.dtype == np.float32


def test_the_error_of_uniform_numbers_is_a_twelfth_of_the_squared_step():
    rows = np.random.default_rng(0).uniform(-1, 1, (500, 128)).astype(np.float32)
    for bits in (4, 6, 8):
        found = mean_square(rows, quantize(rows, bits, 64).decoded)
        # 2**bits steps reach from the least to the largest of 64 numbers, almost 2 apart
        assert 0.8 < found / ((2 / 2**bits) ** 2 / 12) < 1


def test_two_bits_of_normal_numbers_reach_the_uniform_quantizer_of_four_levels():
    rows = np.random.default_rng(0).normal(size=(500, 512)).astype(np.float32)
    # Max 1960, "Quantizing for minimum distortion", table II: 0.1188 for one scale of all numbers
    assert mean_square(rows, quantize(rows, 2, 512).decoded) == pytest.approx(0.1188, rel=0.02)
    assert mean_square(rows, quantize(rows, 2, 32).decoded) < 0.11


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("draw", ["normal", "laplace", "standard_t"])
def test_no_group_is_worse_than_with_the_scale_of_its_largest_value(bits, draw):
    rng = np.random.default_rng(1)
    shape = {"df": 3, "size": (20, 32)} if draw == "standard_t" else {"size": (20, 32)}
    rows = getattr(rng, draw)(**shape).astype(np.float32)
    simple = rounded_by_largest(rows, bits, 32)
    assert mean_square(rows, quantize(rows, bits, 32).decoded) < mean_square(rows, simple)
    for row, theirs in zip(rows, simple, strict=True):
        alone = quantize(row[None], bits, 32).decoded[0]  # a table of one group
        assert mean_square(row, alone) <= mean_square(row, theirs) * (1 + 1e-6)


def test_scales_are_close_to_the_best_of_a_fine_search():
    rows = np.random.default_rng(2).normal(size=(100, 32)).astype(np.float32)
    found = np.square(rows - quantize(rows, 2, 32).decoded).sum(axis=1)
    scales = np.linspace(0.3, 2, 2000)[:, None, None]
    levels = np.clip(np.floor(rows / scales), -2, 1) + 0.5
    best = np.square(rows - levels * scales).sum(axis=2).min(axis=0)
    assert (found < best * 1.02).mean() > 0.98
    assert found.sum() < best.sum() * 1.002


@pytest.mark.parametrize("dim", [5, 64, 70, 130])
def test_a_short_last_group_has_a_scale_of_its_own(dim):
    rows = np.random.default_rng(3).normal(size=(50, dim)).astype(np.float32)
    rows[:, dim - dim % 64 :] *= 1000
    found = quantize(rows, 4, 64).decoded
    for start in range(0, dim, 64):
        part, ours = rows[:, start : start + 64], found[:, start : start + 64]
        assert mean_square(part, ours) < 0.02 * np.square(part).mean()


def test_values_that_are_levels_are_kept():
    whole = np.array([[-4.0, 3.0, 0.0, 1.0], [4.0, -3.0, 2.0, 0.0]], np.float32)
    np.testing.assert_array_equal(quantize(whole, 3, 4).decoded, whole)
    half = np.array([[-3.5, 2.5, 0.5, 1.5], [7.0, -5.0, 3.0, 1.0]], np.float32)
    np.testing.assert_array_equal(quantize(half, 3, 4).decoded, half)
    zeros = np.zeros((3, 10), np.float32)
    np.testing.assert_array_equal(quantize(zeros, 2, 4).decoded, zeros)


def test_integers_do_not_depend_on_the_unit_or_on_the_rows_beside():
    rows = np.random.default_rng(4).normal(size=(3000, 100)).astype(np.float32)
    rows[0, 0] = 100.0
    found = quantize(rows, 3, 64).decoded
    for exponent in (-90, 16, 100):
        other = quantize(np.ldexp(rows, exponent), 3, 64).decoded
        np.testing.assert_array_equal(np.ldexp(other, -exponent), found)
    np.testing.assert_array_equal(quantize(rows[::-1], 3, 64).decoded[::-1], found)
    half = rows.astype(np.float16)
    np.testing.assert_array_equal(
        quantize(half, 3, 64).decoded, quantize(half.astype(np.float32), 3, 64).decoded
    )


@pytest.mark.parametrize(
    ("bits", "group", "message"),
    [(1, 64, "bits is 1; it must be 2 to 8"), (9, 64, "bits is 9"), (4, 0, "group is 0; it must")],
)
def test_what_it_cannot_do_is_one_line(bits, group, message):
    with pytest.raises(InputError, match=message):
        quantize(np.ones((2, 4), np.float32), bits, group)
