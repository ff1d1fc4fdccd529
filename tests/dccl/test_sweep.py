import dataclasses
import json
import shutil

import helpers
import numpy as np
import pytest

import jaxcompress
import train.dccl
from jaxcompress import Codes, InputError, dccl
from jaxcompress.cli.arguments import parse_arguments
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.sizes import Size, at_bytes_per_row, within_target
from jaxcompress.dccl import prepare, sweep
from jaxcompress.dccl.prepare import split_ids
from jaxcompress.dccl.sweep import Sample, choose, measure, read_choice, take_sample


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


def test_each_candidate_has_the_most_codebooks_that_fit():
    # 1,000 x 10 in 6,000 bytes. K = 4: 16 codebooks take 4,000 + 980, and 17 take 5,000 + 1,040.
    # K = 8: 10 take 4,000 + 1,420, and 11 take 5,000 + 1,560. K = 16: 8 take 4,000 + 2,420 and 7
    # take 4,000 + 2,120; 6 take 3,000 + 1,820. K = 256: one codebook takes 1,000 + 5,120.
    found = within_target(0.006, 1000, 10, (4, 8, 16, 256), 1000)
    assert found == [(16, 4), (10, 8), (6, 16)]


def stored(num_rows, dim, size):
    """What `Codes` itself says that a size takes."""
    codes = np.zeros((num_rows, size.num_codebooks), np.uint8)
    codebooks = np.zeros((*size, dim), np.float32)  # the last codewords are 0, as of all we make
    return Codes(codes, codebooks, codebook_type="float16").num_bytes()


def test_no_candidate_takes_more_than_the_target_and_one_codebook_more_would():
    rng = np.random.default_rng(0)
    for _ in range(200):
        num_rows, dim = int(rng.integers(1, 3000)), int(rng.integers(1, 80))
        codewords = rng.choice([2, 3, 4, 8, 16, 17, 32, 64, 100, 256], 4, replace=False).tolist()
        target = int(rng.integers(1, num_rows * dim * 4 + 200_000))
        try:
            found = within_target(target / 1e6, num_rows, dim, codewords, 256)
        except InputError:
            continue
        for size in found:
            assert stored(num_rows, dim, size) <= target
            larger = size._replace(num_codebooks=size.num_codebooks + 1)
            assert stored(num_rows, dim, larger) > target


def test_a_target_of_exactly_the_bytes_of_a_size_fits_it():
    for num_codebooks in range(1, 90):  # among them 61, where 0.2572 * 1e6 < 257,200
        size = Size(num_codebooks, 16)
        assert within_target(size.num_bytes(2000, 50) / 1e6, 2000, 50, (16,), 16) == [size]


def test_a_target_below_the_least_names_it():
    # 1,000 x 10 at one codebook of 4: 1,000 + 80 bytes.
    with pytest.raises(InputError, match=r"take at least 0.00108 MB \(1 x 4 codes\)"):
        within_target(0.001079, 1000, 10, (16, 4), 1000)
    assert within_target(0.00108, 1000, 10, (16, 4), 1000) == [(1, 4)]


def test_sizes_that_cannot_be_trained_are_left_out():
    # 100,000 x 100 in 30 MB. K = 4: there is room for more than 1,024 codebooks.
    # K = 16: 566 take 28,300,000 + 1,698,200, and 567 take 100,000 bytes of codes more.
    assert within_target(30.0, 100_000, 100, (4, 16, 256), 255) == [(566, 16)]
    with pytest.raises(InputError, match=r"room for more than 1,024 codebooks or 2\^20 codewords"):
        within_target(30.0, 100_000, 100, (4,), 255)
    with pytest.raises(
        InputError, match=r"the least of sweep.num_codewords is 16; the sample has 10 rows"
    ):
        within_target(30.0, 100_000, 100, (16, 32), 10)
    assert Size(16, 65_536).is_valid()
    assert not Size(17, 65_536).is_valid()
    assert not Size(1025, 2).is_valid()


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


def test_the_size_of_least_error_is_chosen():
    rows = [
        {"num_codebooks": m, "num_codewords": 4, "mean_squared_l2": error}
        for m, error in ((5, 2.0), (4, 1.5), (3, 1.75))
    ]
    assert choose(rows) == (4, 4)


def small_config(table, **changes):
    """A run of seconds. 600 x 16 in 6,000 bytes: 14 x 4 (2,400 + 3,584), 4 x 16 (1,200 + 4,096)."""
    return dccl.Config(
        batch_size=64,
        num_steps=20,
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


@pytest.fixture(scope="module")
def by_target(table, tmp_path_factory):
    """The workdir of a small run with a target, its codes and its summary."""
    workdir = tmp_path_factory.mktemp("runs") / "target"
    codes, summary = train.dccl.train(small_config(table, target_mb=0.006), str(workdir))
    return workdir, codes, summary


def test_a_run_with_a_target_takes_the_best_size_within_it(by_target):
    workdir, codes, summary = by_target
    kept = json.loads((workdir / "sweep.json").read_text())
    assert [(r["num_codebooks"], r["num_codewords"]) for r in kept["sizes"]] == [(24, 4), (7, 16)]
    best = min(kept["sizes"], key=lambda row: row["mean_squared_l2"])
    chosen = {name: best[name] for name in ("num_codebooks", "num_codewords")}
    assert kept["chosen"] == chosen
    assert {name: summary[name] for name in chosen} == chosen
    assert summary["codes_bytes"] + summary["codebook_bytes"] == codes.num_bytes() <= 6000
    assert best["megabytes"] == codes.num_bytes() / 1e6
    assert (workdir / "sweep.png").stat().st_size > 5_000


@pytest.fixture
def no_measuring(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a size was measured again")

    monkeypatch.setattr(sweep, "measure", refuse)


def test_a_resumed_run_takes_the_size_it_had_chosen(by_target, table, no_measuring, capsys):
    workdir, codes, _ = by_target
    again, _ = train.dccl.train(small_config(table, target_mb=0.006), str(workdir))
    np.testing.assert_array_equal(again.codes, codes.codes)
    printed = capsys.readouterr().out
    assert f"chosen: {codes.num_codebooks} x {codes.num_codewords}, " in printed
    assert "measuring" not in printed


def main(*arguments):
    return train.dccl.main(["train/dccl.py", *arguments])


def test_evaluate_and_export_take_the_chosen_size(by_target, no_measuring, tmp_path):
    workdir, codes, summary = by_target
    shutil.copytree(workdir, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "run" / "export" / "model.codes").unlink()
    for mode in ("evaluate", "export"):
        assert main(f"--mode={mode}", f"--workdir={tmp_path / 'run'}") == 0
    again = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert again["mean_squared_l2"] == summary["mean_squared_l2"]
    loaded = jaxcompress.load(tmp_path / "run" / "export" / "model.codes")
    np.testing.assert_array_equal(loaded.codes, codes.codes)


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
    config, workdir = small_config(table, target_mb=0.006), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train.dccl.train(config, str(workdir))
    kept = json.loads((workdir / "sweep.json").read_text())
    assert [row["num_codewords"] for row in kept["sizes"]] == [4]
    assert "chosen" not in kept
    assert main("--mode=evaluate", f"--workdir={workdir}") == 2
    assert main("--mode=sweep", f"--workdir={workdir}") == 0
    assert measured == [(24, 4), "interrupted", (7, 16)]
    kept = json.loads((workdir / "sweep.json").read_text())
    assert kept["chosen"] == {"num_codebooks": 7, "num_codewords": 16}


def test_evaluate_before_a_size_is_chosen_is_one_line(table, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "measure", no_size)
    with pytest.raises(KeyboardInterrupt):
        train.dccl.train(small_config(table, target_mb=0.006), str(tmp_path / "run"))
    capsys.readouterr()
    assert main("--mode=evaluate", f"--workdir={tmp_path / 'run'}") == 2
    expected = "error: no size is chosen yet for target_mb (in "
    assert capsys.readouterr().err.startswith(expected)


def no_size(*arguments):
    raise KeyboardInterrupt


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
    printed = capsys.readouterr().out
    assert "left out for the time they take, by sweep.max_product: 2 x 256." in printed
    kept = json.loads((workdir / "sweep.json").read_text())
    assert "chosen" not in kept
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
        (["target_mb=0.0005"], "600 rows x 16 take at least 0.000728 MB (1 x 4 codes)"),
        (["target_mb=1"], "600 rows x 16 are only 0.0384 MB of float32; give less."),
        (["target_mb=0.006", "sweep.num_codewords=4,x"], "config.sweep.num_codewords is '4,x'"),
        (["target_mb=0.006", "sweep.num_codewords=4,1"], "sweep.num_codewords has 1; each must"),
        (["target_mb=0.006", "sweep.num_codewords=4,4"], "expected different numbers"),
        (["target_mb=0.006", "sweep.num_rows=0"], "sweep.num_rows is 0; it must be at least 1."),
        (["target_mb=0.006", "data.valid_rows=600"], "some must be left to train on"),
        (["target_mb=0.006", "sweep.num_rows=3"], "sweep.num_codewords is 4; the sample has 3"),
    ],
)
def test_a_bad_target_is_one_line_and_writes_nothing(
    more, message, table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(helpers.ROOT)
    arguments = [f"--config.{setting}" for setting in more]
    assert main(*small(table, tmp_path / "run", *arguments)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
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
        train.dccl.train(small_config(table, target_mb=0.006), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_target_wins_over_the_size_of_the_model_and_says_so(
    table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(helpers.ROOT)
    monkeypatch.setattr(sweep, "measure", pretended)
    # `small` has 4 x 8.
    assert main(*small(table, tmp_path / "run", "--config.target_mb=0.006", "--mode=sweep")) == 0
    assert "note: target_mb takes the place of 4 x 8, which model" in capsys.readouterr().out


def test_lists_of_numbers_on_the_command_line_are_numbers(monkeypatch):
    monkeypatch.chdir(helpers.ROOT)
    for value in ("4,16", "(4,16)"):
        arguments = ["x", "--config=configs/quickstart.py", f"--config.sweep.num_codewords={value}"]
        assert parse_arguments(arguments, ("train",)).config.sweep.num_codewords == (4, 16)


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "sweep.json").write_text('{"sizes": [')
    with pytest.raises(InputError, match=r"sweep.json is damaged .*; delete it"):
        read_choice(tmp_path / "sweep.json")


def test_compress_takes_no_target():
    with pytest.raises(
        InputError, match=r"target_mb is for `python -m train.dccl`; here give num_"
    ):
        jaxcompress.compress(np.ones((100, 4)), config=dccl.Config(target_mb=1.0))
