import dataclasses
import json

import helpers
import numpy as np
import pytest

import jaxcompress
import train.dccl
from jaxcompress import InputError, dccl
from jaxcompress.cli.arguments import parse_arguments
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.sizes import Size, at_bytes_per_row
from jaxcompress.dccl import prepare, sweep
from jaxcompress.dccl.prepare import split_ids
from jaxcompress.dccl.run import run
from jaxcompress.dccl.sweep import Sample, measure, take_sample


def test_bytes_are_those_worked_out_by_hand():
    size = Size(3, 8)  # 9 bits, 2 bytes
    assert (size.bits_per_row, size.bytes_per_row) == (9, 2)
    assert size.codebook_bytes(10) == (8 + 2 * 7) * 10 * 2
    assert size.num_bytes(1000, 10) == 2000 + 440
    assert size.codebook_bytes(10, codebook_type="float32") == (8 + 2 * 7) * 10 * 4
    assert size.codebook_bytes(10, codebook_type="int8") == 8 * 10 * 2 + 2 * 7 * (10 + 2)
    assert size.codebook_bytes(10, Groups(1, 2), "int8") == 8 * 10 * 2 + 2 * 7 * (5 + 2)
    assert size.codebook_bytes(10, Groups(2, 1)) == size.codebook_bytes(10)
    assert size.num_bytes(1000, 12, Groups(0, 3)) == 2000 + 3 * 8 * 4 * 2  # nothing is left out


def test_the_sizes_of_a_curve_leave_no_bit_of_a_row_empty():
    found = at_bytes_per_row((3, 4), (4, 8, 16, 256), 1000)
    assert found == [(12, 4), (8, 8), (6, 16), (3, 256), (16, 4), (8, 16), (4, 256)]
    assert {size.bits_per_row for size in found} == {24, 32}
    with pytest.raises(
        InputError, match=r"no size of 8, 64 codewords takes exactly 4 bytes per row"
    ):
        at_bytes_per_row((4,), (8, 64), 1000)
    with pytest.raises(InputError, match=r"for 255 rows to train on, at most 255 codewords"):
        at_bytes_per_row((4,), (256,), 255)


def small_config(table, **changes):
    """A run of seconds. 600 x 16 in 6,000 bytes: 14 x 4 (2,400 + 3,584), 4 x 16 (1,200 + 4,096)."""
    return dccl.Config(
        batch_size=64,
        num_steps=20,
        report=False,
        data=dccl.DataConfig(path=str(table)),
        refine=dccl.RefineConfig(num_rounds=1),
        sweep=dccl.SweepConfig(
            num_codewords=(4, 16), bytes_per_row=(1, 2), num_rows=200, num_steps=20, num_rounds=1
        ),
        **changes,
    )


def test_the_sample_is_of_rows_that_the_run_trains_on_and_a_sixth_is_held_out(table):
    rows, config = np.load(table), small_config(table)
    train_ids, _ = split_ids(600, config)  # 570 rows
    sample = take_sample(rows, config)
    assert len(sample.rows) == 200 + 95  # 570 / 6
    assert sample.num_held_out == 95
    trained = {row.tobytes() for row in rows[train_ids]}
    drawn = {row.tobytes() for row in sample.rows}
    assert len(drawn) == 295
    assert drawn <= trained
    np.testing.assert_array_equal(take_sample(rows, config).rows, sample.rows)
    other = take_sample(rows, dataclasses.replace(config, seed=1))
    assert {row.tobytes() for row in other.rows} != drawn


def test_a_sample_as_large_as_the_table_is_the_table(table):
    config = small_config(table)
    rows, everything = np.load(table), dataclasses.replace(config.sweep, num_rows=570)
    config = dataclasses.replace(config, sweep=everything)
    sample = take_sample(rows, config)
    np.testing.assert_array_equal(sample.rows, rows[split_ids(600, config)[0]])
    assert sample.num_held_out == 0


@pytest.mark.slow
def test_the_error_is_that_of_compress_if_no_row_is_held_out(table):
    config, rows = small_config(table), np.load(table)[:200]
    figures = measure(Sample(rows, None, 0), Size(2, 16), config)
    data = dccl.DataConfig(valid_rows=0)
    codes = jaxcompress.compress(rows, 2, 16, config=dataclasses.replace(config, data=data))
    squared = np.square(codes.decode() - rows).sum(axis=1)
    np.testing.assert_allclose(figures["mean_squared_l2"], squared.mean(), rtol=1e-5)
    spread = np.square(rows - rows.mean(axis=0)).sum()
    np.testing.assert_allclose(figures["relative_error"], squared.sum() / spread, rtol=1e-5)
    assert figures["bound"] == jaxcompress.rate_distortion_bound(rows, 8)


def test_the_error_is_of_the_held_out_rows_if_there_are_any(table):
    config, rows = small_config(table), np.load(table)[:250]
    figures = measure(Sample(rows, None, 50), Size(2, 16), config)
    # Rows moved far away together are held out here as before: only their error can tell.
    _, held_out = split_ids(250, dataclasses.replace(config, data=dccl.DataConfig(valid_rows=50)))
    rows[held_out] += 100
    moved = measure(Sample(rows, None, 50), Size(2, 16), config)
    assert moved["mean_squared_l2"] > 0.5 * 16 * 100**2  # no codeword has come to them
    assert figures["mean_squared_l2"] < 100


def main(*arguments):
    return train.dccl.main(["train/dccl.py", *arguments])


def pretended(sample, size, config):
    """Figures at no cost, the least for K = 16."""
    error = 1.0 if size.num_codewords == 16 else 2.0
    return {"mean_squared_l2": error, "relative_error": error / 10, "bound": error / 2}


def test_a_sweep_that_was_interrupted_goes_on_with_what_is_missing(table, tmp_path, monkeypatch):
    measured = []

    def measure(sample, size, config):
        if size.num_codewords == 16 and len(measured) == 1:
            measured.append("interrupted")
            raise KeyboardInterrupt
        measured.append(size)
        return pretended(sample, size, config)

    monkeypatch.setattr(sweep, "measure", measure)
    workdir = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(small_config(table), str(workdir), "sweep")
    kept = json.loads((workdir / "sweep.json").read_text())
    assert [row["num_codewords"] for row in kept["sizes"]] == [4]
    assert main("--mode=sweep", f"--workdir={workdir}") == 0
    assert measured == [(4, 4), "interrupted", (2, 16), (8, 4), (4, 16)]


def small(table, workdir, *more):
    """The arguments of a small run, without the program."""
    return helpers.command(table, workdir, *more)[3:]


def test_the_sweep_prints_and_draws_the_curve_and_trains_nothing_more(
    table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(helpers.ROOT)
    monkeypatch.setattr(sweep, "measure", pretended)
    workdir = tmp_path / "run"
    more = ("--config.sweep.bytes_per_row=1,2", "--config.sweep.num_codewords=4,16,256")
    more = (*more, "--config.sweep.max_product=256", "--mode=sweep")
    assert main(*small(table, workdir, *more)) == 0
    said = capsys.readouterr()
    printed = said.out
    assert "left out for the time they take, by sweep.max_product: 2 x 256." in said.err
    kept = json.loads((workdir / "sweep.json").read_text())
    expected = [(4, 4), (2, 16), (1, 256), (8, 4), (4, 16)]
    assert [(r["num_codebooks"], r["num_codewords"]) for r in kept["sizes"]] == expected
    for row in kept["sizes"]:
        assert row["bytes_per_row"] * 600 + row["codebook_bytes"] == row["megabytes"] * 1e6
    line = next(x for x in printed.splitlines() if x.startswith("2  "))
    # 16 and 15 codewords of 16 float16; 600 bytes of codes.
    assert line.split() == ["2", "16", "1", "992", "0.001592", "1", "0.1", "0.5"]
    assert (workdir / "sweep.png").stat().st_size > 5_000
    assert not (workdir / "checkpoints").exists()
    assert not (workdir / "summary.json").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["target_mb=0"], "target_mb is 0.0; it must be a number above 0."),
        (["target_mb=-1"], "target_mb is -1.0; it must be"),
        (["target_mb=inf"], "target_mb is inf; it must be"),
        (["target_mb=small"], "config.target_mb is 'small'; expected float | None."),
        (["target_mb=0.0005"], "600 rows x 16 take at least 0.000728 MB as codes"),
        (["target_mb=1"], "600 rows x 16 are only 0.0384 MB of float32; give less."),
        (["sweep.num_codewords=4,x"], "config.sweep.num_codewords is '4,x'"),
        (["sweep.num_codewords=4,1"], "sweep.num_codewords has 1; each must"),
        (["sweep.num_codewords=4,4"], "expected different numbers"),
        (["sweep.num_rows=0"], "sweep.num_rows is 0; it must be at least 1."),
        (["target_mb=0.006", "data.valid_rows=600"], "some must be left to train on"),
    ],
)
def test_a_bad_target_or_sweep_is_one_line_and_writes_nothing(
    more, message, table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(helpers.ROOT)
    arguments = [f"--config.{setting}" for setting in more]
    assert main(*small(table, tmp_path / "run", *arguments)) == 2
    lines = helpers.error_of(capsys).strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert not (tmp_path / "run").exists()


def test_what_training_would_refuse_is_refused_before_any_size_is_measured(
    table, tmp_path, monkeypatch
):
    def refuse(*arguments):
        raise InputError("batch_size is not a multiple of the devices")

    monkeypatch.setattr(prepare, "make_engine", refuse)
    with pytest.raises(InputError, match="batch_size is not"):
        run(small_config(table), str(tmp_path / "run"), "sweep")
    assert not (tmp_path / "run").exists()


def test_lists_of_numbers_on_the_command_line_are_numbers(monkeypatch):
    monkeypatch.chdir(helpers.ROOT)
    for value in ("4,16", "(4,16)"):
        arguments = ["x", "--config=configs/quickstart.py", f"--config.sweep.num_codewords={value}"]
        assert parse_arguments(arguments, ("train",)).config.sweep.num_codewords == (4, 16)


def test_a_damaged_file_is_one_line(table, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "measure", pretended)
    (tmp_path / "sweep.json").write_text('{"sizes": [')
    config = small_config(table)
    with pytest.raises(InputError, match=r"sweep.json is damaged .*; delete it"):
        sweep.measure_all(prepare.read(config), [Size(4, 4)], config, tmp_path / "sweep.json")
