"""`target_mb`: which size is chosen, and that all modes of a run and `compress` take it."""

import json
import logging

import numpy as np
import pytest

import jaxcompress
import train.dccl
from jaxcompress import InputError, dccl
from jaxcompress.codes.bound import rate_distortion_bound
from jaxcompress.codes.chooser import choose_size, excess, integers_note
from jaxcompress.codes.groups import Groups
from jaxcompress.dccl.config import EFFORTS, Effort, refine_config
from jaxcompress.dccl.prepare import prepare
from jaxcompress.dccl.target import settle_target


def gaussian(num_rows, dim, falls_to=0.1):
    """Correlated rows, whose variances along principal axes fall evenly."""
    rng = np.random.default_rng(0)
    axes, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    scales = np.geomspace(1, falls_to, dim) ** 0.5
    return ((rng.normal(size=(num_rows, dim)) * scales) @ axes).astype(np.float32)


def test_a_choice_fills_its_target_and_says_what_it_takes():
    rows = gaussian(3000, 32)
    for megabytes in (0.02, 0.05, 0.1):
        choice = choose_size(rows, megabytes)
        assert 0.9e6 * megabytes < choice.num_bytes <= 1e6 * megabytes
        assert choice.error >= rate_distortion_bound(rows, 8e6 * megabytes / 3000)
    larger, smaller = choose_size(rows, 0.1), choose_size(rows, 0.05)
    assert larger.error < smaller.error
    assert choose_size(rows, 0.05, "float32").error > smaller.error
    assert choose_size(rows, 0.05, "float32").codebook_type == "float32"
    assert choose_size(rows, 0.05, can_group=False).per_group == 0


def test_few_rows_of_many_dimensions_get_groups_and_many_rows_at_few_bytes_none():
    assert choose_size(gaussian(2000, 64), 2000 * 60 / 1e6).num_groups > 1
    assert choose_size(gaussian(60_000, 16), 60_000 * 3 / 1e6).per_group == 0


def test_the_excess_rises_with_the_rate_and_falls_with_more_codewords():
    rates = (0.1, 0.5, 1.0, 2.0, 4.0)
    for few, many in ((4, 8), (8, 16)):
        assert all(excess(few, rate) > excess(many, rate) for rate in rates)
    assert list(rates) == sorted(rates, key=lambda rate: excess(16, rate))


def test_targets_without_a_size_are_refused():
    rows = gaussian(1000, 10)
    # One codebook of 4: 1,000 bytes of codes, and 4 * 10 float16.
    with pytest.raises(InputError, match=r"1,000 rows x 10 take at least 0.00108 MB as codes"):
        choose_size(rows, 0.00107)
    assert choose_size(rows, 0.00108).num_bytes == 1080
    with pytest.raises(InputError, match=r"1,000 rows x 10 are only 0.04 MB of float32"):
        choose_size(rows, 0.04)


def test_integers_are_named_if_they_are_better():
    rows = gaussian(500, 64)
    note = integers_note(rows, 500 * 70 / 1e6, error=1.0)
    assert note.startswith("plain integers may be better: int8 in groups of")
    assert integers_note(rows, 500 * 70 / 1e6, error=1e-9) is None
    assert integers_note(rows, 500 * 10 / 1e6, error=1.0) is None  # none fits


def small_config(table, **changes):
    return dccl.Config(
        batch_size=64,
        num_steps=20,
        report=False,
        data=dccl.DataConfig(path=str(table)),
        refine=dccl.RefineConfig(num_rounds=1),
        **changes,
    )


def test_a_run_and_its_evaluation_take_the_size_of_its_target(table, tmp_path, capsys):
    workdir = tmp_path / "run"
    codes, summary = train.dccl.train(small_config(table, target_mb=0.002), str(workdir))
    assert 0.8 * 2000 < codes.num_bytes() <= 2000
    assert summary["codes_bytes"] + summary["codebook_bytes"] == codes.num_bytes()
    printed = capsys.readouterr().out
    assert (
        f"chosen: {codes.groups.num_shared if codes.groups else codes.num_codebooks} x " in printed
    )
    (workdir / "summary.json").unlink()
    assert train.dccl.main(["x", "--mode=evaluate", f"--workdir={workdir}"]) == 0
    again = json.loads((workdir / "summary.json").read_text())
    assert again["mean_squared_l2"] == summary["mean_squared_l2"]
    loaded = jaxcompress.load(workdir / "export" / "model.safetensors")
    np.testing.assert_array_equal(loaded.decode(), codes.decode())


def test_groups_of_a_config_are_trained_saved_and_opened(table, tmp_path):
    model = dccl.ModelConfig(
        num_codebooks=3, num_codewords=4, num_groups=4, codebooks_per_group=1, hidden_size=8
    )
    config = small_config(table, model=model, codebook_type="int8")
    codes, summary = train.dccl.train(config, str(tmp_path / "run"))
    assert codes.groups == Groups(3, 4)
    assert codes.num_codebooks == 7
    assert summary["file_bytes"] == (tmp_path / "run/export/model.safetensors").stat().st_size
    for path in (tmp_path / "run", tmp_path / "run/export/model.safetensors"):
        opened = jaxcompress.load(path)
        assert (opened.groups, opened.codebook_type) == (Groups(3, 4), "int8")
        np.testing.assert_array_equal(opened.decode(), codes.decode())
        np.testing.assert_allclose(opened.lookup(np.arange(9)), codes.decode(range(9)), atol=1e-5)


def test_groups_that_do_not_divide_a_row_are_refused_before_training(table, tmp_path):
    model = dccl.ModelConfig(num_groups=7, codebooks_per_group=2)
    with pytest.raises(InputError, match=r"model\.num_groups is 7; it must divide the 16"):
        train.dccl.train(small_config(table, model=model), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_target_wins_over_the_size_of_the_model_and_says_so(table, tmp_path, caplog):
    config = small_config(table, target_mb=0.002, model=dccl.ModelConfig(num_codebooks=7))
    train.dccl.train(config, str(tmp_path / "run"))
    assert "target_mb takes the place of 7 x 16, which model" in caplog.text


def test_compress_takes_a_target_or_a_size(table, caplog):
    rows, config = np.load(table), small_config(table)
    with caplog.at_level(logging.WARNING, logger="jaxcompress"):
        codes = jaxcompress.compress(rows, target_mb=0.002, config=config)
    assert codes.num_bytes() <= 2000
    assert "chosen: " in caplog.text
    with pytest.raises(InputError, match="num_codebooks and target_mb are given"):
        jaxcompress.compress(rows, 4, target_mb=0.002, config=config)


def test_without_refinement_no_groups_are_chosen(table):
    rows, none = np.load(table), dccl.RefineConfig(num_rounds=0)
    assert settle_target(rows, dccl.Config(target_mb=0.006), print).model.codebooks_per_group
    config = settle_target(rows, dccl.Config(target_mb=0.006, refine=none), print)
    assert config.model.codebooks_per_group == 0


def test_effort_changes_steps_and_rounds_that_are_not_given(monkeypatch):
    monkeypatch.setitem(EFFORTS, "default", Effort(1.0, 1.0))  # as it is outside of tests
    rows = gaussian(3000, 8)
    found = {}
    for effort in ("fast", "default", "best"):
        config = dccl.Config(effort=effort)
        problem = prepare(rows, config, say=lambda line: None)
        found[effort] = problem.job.num_steps, refine_config(config, 3000).num_rounds
    for which in (0, 1):
        assert found["fast"][which] < found["default"][which] < found["best"][which]
    fixed = dccl.Config(effort="fast", refine=dccl.RefineConfig(num_rounds=3))
    assert refine_config(fixed, 3000).num_rounds == 3
