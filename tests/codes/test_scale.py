"""Codes do not depend on the unit of the table."""

import jax
import numpy as np
import pytest

import jaxcompress
from jaxcompress import InputError, dccl
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.rows import make_table
from jaxcompress.codes.scale import heavy_rows_note, scale_exponent
from jaxcompress.data.batches import gather_scaled
from jaxcompress.dccl.prepare import prepare


def make_rows(num_rows=400, dim=8):
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(20, dim))
    return (centers[rng.integers(0, 20, num_rows)] + 0.3 * rng.normal(size=(num_rows, dim))).astype(
        np.float32
    )


def compress(rows):
    config = dccl.Config(
        num_steps=40,
        data=dccl.DataConfig(valid_rows=0),
        refine=dccl.RefineConfig(num_rounds=3),
    )
    return jaxcompress.compress(
        rows, num_codebooks=4, num_codewords=8, config=config, show_progress=False
    )


@pytest.fixture(scope="module")
def codes():
    return compress(make_rows())


@pytest.mark.slow
def test_a_table_in_a_large_unit_has_the_same_codes(codes):
    rows = make_rows()
    other = compress(np.ldexp(rows, 112))  # of numbers near 5e33
    np.testing.assert_array_equal(other.codes, codes.codes)
    np.testing.assert_array_equal(other.codebooks, np.ldexp(codes.codebooks, 112))
    theirs = np.ldexp(float(other.metadata["mean_squared_l2"]), -224)
    assert theirs == pytest.approx(float(codes.metadata["mean_squared_l2"]), rel=1e-6)
    np.testing.assert_array_equal(
        other.encode(np.ldexp(rows[:50], 112), num_rounds=2), codes.encode(rows[:50], num_rounds=2)
    )


@pytest.mark.slow
def test_a_small_unit_that_is_no_power_of_two_changes_the_error_little(codes):
    other = compress((make_rows().astype(np.float64) * 1e-20).astype(np.float32))
    theirs = float(other.metadata["mean_squared_l2"]) * 1e40
    assert theirs == pytest.approx(float(codes.metadata["mean_squared_l2"]), rel=0.15)


def test_figures_are_in_the_unit_of_the_table(codes):
    rows = make_rows()
    figures = code_errors(make_table(rows), codes)["all"]
    large = jaxcompress.Codes(codes.codes, np.ldexp(codes.codebooks, 64))
    scaled = code_errors(make_table(np.ldexp(rows, 64)), large)["all"]
    powers = {"mean_l2": 1, "mean_squared_l2": 2}
    for name, value in figures.items():
        assert np.ldexp(scaled[name], -64 * powers.get(name, 0)) == pytest.approx(value, rel=1e-6)


def test_the_unit_is_that_of_the_median_row_and_leaves_usual_tables_alone():
    rows = make_rows()
    assert scale_exponent(rows) == 0
    assert scale_exponent(rows * 50) == 0
    assert scale_exponent(rows / 50) == 0
    assert scale_exponent(np.zeros((3, 2), np.float32)) == 0
    rows[0] *= 1e9
    assert scale_exponent(rows) == 0
    spread = np.array([[1e-30], [1e-30], [1e30]], np.float32)
    assert np.ldexp(np.float64(spread.max()), -scale_exponent(spread)) < 2.0**57


def test_few_rows_that_hold_most_of_the_squared_norm_are_noted():
    rows = make_rows(4000)
    assert heavy_rows_note(rows) is None
    heavy = np.arange(20) * 7
    rows[heavy] *= 1e4
    note = heavy_rows_note(rows)
    assert note.startswith("20 of 4,000 rows have over 10 times the median length and hold 100.0 %")
    assert "decide most" in note
    few = make_rows(80)
    few[3] *= 1e4
    assert heavy_rows_note(few).startswith("1 of 80 rows has over")
    said = []
    config = dccl.Config(num_steps=20, model=dccl.ModelConfig(num_codebooks=2, num_codewords=4))
    prepare(rows, config, say=said.append)
    assert f"note: {note}" in said
    said.clear()
    weights = np.where(np.isin(np.arange(4000), heavy), 0.0, 1.0)
    prepare(rows, config, weights, say=said.append)
    assert not any("squared norm" in line for line in said)


def test_rows_of_which_float32_holds_few_digits_are_refused():
    with pytest.raises(InputError, match=r"the median length of the rows is .*e-4.*; multiply"):
        compress(np.ldexp(make_rows(), -146).astype(np.float32))


@pytest.mark.parametrize("power", [-110, -90, 100, 124])
def test_units_at_the_ends_of_float32_are_brought_near_1(power):
    rows = np.ldexp(make_rows(), power).astype(np.float32)
    exponent = scale_exponent(rows)
    scaled = jax.jit(gather_scaled(exponent))((), {"rows": rows})["rows"]
    np.testing.assert_array_equal(scaled, np.ldexp(rows, -exponent))
    norm = np.median(np.linalg.norm(np.asarray(scaled, np.float64), axis=1))
    assert 2.0**-40 < norm < 2.0**20


def test_the_sample_whose_errors_are_followed_is_spread_over_all_rows():
    config = dccl.Config(num_steps=20, data=dccl.DataConfig(valid_rows=0))
    problem = prepare(make_rows(10_000), config)
    feed = problem.job.evaluations["sample"]
    rows = [feed.index(i) for i in range(feed.num_batches)]
    sampled = np.concatenate([index["rows"][index["mask"]] for index in rows])
    places = [np.flatnonzero((problem.table.rows == row).all(axis=1))[0] for row in sampled[::100]]
    assert len(sampled) == 2048
    assert places[0] == 0
    assert max(np.diff(places)) < 1000
    np.testing.assert_array_equal(sampled[-1], problem.table.rows[-1])
