import dataclasses
import json
import re
import shutil

import helpers
import numpy as np
import pytest

import jaxcompress
import train.dccl
from jaxcompress import InputError, dccl
from jaxcompress.codes.codebook_types import round_codebooks
from jaxcompress.dccl.prepare import prepare, read
from jaxcompress.dccl.run import run

SUMMARY = [
    "num_rows",
    "dim",
    "num_codebooks",
    "num_codewords",
    "bits_per_row",
    "codes_bytes",
    "codebook_bytes",
    "file_bytes",
    "compression_ratio",
    "mean_l2",
    "mean_squared_l2",
    "relative_error",
    "valid_mean_l2",
    "valid_mean_squared_l2",
    "valid_relative_error",
    "soft_mean_l2",
    "valid_soft_mean_l2",
    "max_probability",
    "codebook_perplexity",
    "dead_codewords",
    "train_seconds",
    "rows_per_second",
]


def test_a_run_leaves_a_summary_curves_and_files(finished, table):
    workdir, printed = finished
    summary = json.loads((workdir / "summary.json").read_text())
    assert set(SUMMARY) <= set(summary)
    for name in summary:
        assert f"\n{name} " in printed
    rows = np.load(table)
    codes = jaxcompress.load(workdir / "export" / "model.safetensors")
    squared = ((codes.decode() - rows) ** 2).sum(axis=1)
    assert summary["num_rows"] == 600
    assert summary["bits_per_row"] == 4 * 3
    assert summary["codes_bytes"] == 600 * 2
    assert summary["codebook_bytes"] == 2 * (8 + 3 * 7) * 16  # float16, short
    assert summary["compression_ratio"] == 4 * 600 * 16 / (1200 + 928)
    assert summary["file_bytes"] == (workdir / "export" / "model.safetensors").stat().st_size
    np.testing.assert_allclose(summary["mean_squared_l2"], squared.mean(), rtol=1e-5)
    np.testing.assert_allclose(summary["mean_l2"], np.sqrt(squared).mean(), rtol=1e-5)
    spread = ((rows - rows.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(summary["relative_error"], squared.sum() / spread, rtol=1e-5)
    assert summary["relative_error"] < 0.5
    assert (
        f"600 x 16 vectors of {table}; 60 steps of 64 rows on 1 cpu device(s); workdir {workdir}\n"
    ) in printed
    assert f'open them with jaxcompress.load("{workdir}")' in printed
    assert "sample words that are not in the table: nobody" in printed
    w1 = " ".join(map(str, codes.codes[1]))
    assert f"w1\t{w1}" in printed
    assert (workdir / "curves.png").stat().st_size > 10_000
    assert list((workdir / "tensorboard").iterdir())
    assert len(helpers.losses(workdir)) == 60


def test_every_form_of_the_artefact_holds_the_same_codes(finished):
    workdir, _ = finished
    opened = [
        jaxcompress.load(workdir),
        jaxcompress.load(workdir / "export" / "model.safetensors"),
        jaxcompress.load(workdir / "export" / "model.codes"),
    ]
    for codes in opened:
        np.testing.assert_array_equal(codes.codes, opened[0].codes)
        np.testing.assert_array_equal(codes.codebooks, opened[0].codebooks)
        assert codes.words[:2] == ["w0", "w1"]
        assert codes.encoder is None
    assert opened[0].codebook_type == opened[1].codebook_type == "float16"
    np.testing.assert_array_equal(
        opened[0].codebooks, round_codebooks(opened[0].codebooks, "float16")
    )


def test_the_encoder_is_exported_if_that_is_asked_for(finished, table, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(finished[0], workdir)
    before = json.loads((workdir / "summary.json").read_text())["file_bytes"]
    helpers.printed(helpers.command(table, workdir, "--config.export_encoder=true"))
    codes = jaxcompress.load(workdir / "export" / "model.safetensors")
    assert codes.encoder["hidden.kernel"].shape == (16, 32)
    after = json.loads((workdir / "summary.json").read_text())["file_bytes"]
    assert after == (workdir / "export" / "model.safetensors").stat().st_size > before + 6000
    helpers.printed(helpers.command(table, workdir, "--mode=export"))
    assert jaxcompress.load(workdir / "export" / "model.safetensors").encoder is None


def test_read_gives_the_rows_and_weights_that_the_config_names(table, tmp_path):
    (tmp_path / "w.txt").write_text("".join(f"{i}\n" for i in range(1, 6)))
    data = dccl.DataConfig(path=str(table), max_rows=5, weights=str(tmp_path / "w.txt"))
    source = read(dccl.Config(data=data))
    np.testing.assert_array_equal(source.vectors.rows, np.load(table)[:5])
    assert source.vectors.words == ["w0", "w1", "w2", "w3", "w4"]
    np.testing.assert_array_equal(source.weights, [1, 2, 3, 4, 5])
    assert read(dccl.Config(data=dccl.DataConfig(path=str(table)))).weights is None
    few = read(dccl.Config(data=dccl.DataConfig(path="stdlib", max_rows=7))).vectors
    assert len(few.rows) == len(few.words) == 7


@pytest.mark.parametrize(
    ("mode", "num_rows", "changes", "message"),
    [
        ("train", 1, {}, "1 rows to train on are fewer than model.num_codewords = 8"),
        ("train", 3, {"valid_rows": 3}, "data.valid_rows is 3; the table has 3 rows"),
        ("train", 20, {"target_mb": 1.0}, "target_mb is 1.0; 20 rows x 4 are only"),
        ("sweep", 1, {}, "no size of .* takes exactly"),
    ],
)
def test_errors_about_a_table_name_its_file(tmp_path, mode, num_rows, changes, message):
    np.save(tmp_path / "few.npy", np.ones((num_rows, 4), np.float32))
    config = dataclasses.replace(
        small_config(tmp_path / "few.npy", valid_rows=changes.pop("valid_rows", None)), **changes
    )
    with pytest.raises(InputError, match=rf"^{tmp_path}/few\.npy: {message}"):
        run(config, str(tmp_path / "run"), mode)
    assert not (tmp_path / "run").exists()


def test_held_out_rows_are_never_trained_on(table):
    config = dccl.Config(data=dccl.DataConfig(valid_rows=30, stream=False))
    problem = prepare(np.load(table), config)
    valid = np.concatenate([problem.job.evaluations["valid"].index(0)["ids"][:30]])
    seen = np.concatenate([problem.job.feed.index(step)["ids"] for step in range(5)])
    assert len(set(valid)) == 30
    assert not set(valid) & set(seen)
    assert len(set(seen)) == 570
    np.testing.assert_array_equal(problem.table.held_out, np.sort(valid))


def test_a_loss_that_is_not_finite_stops_with_the_step(table, tmp_path):
    rate = "--config.optimizer.learning_rate=1e30"  # squares of such parameters overflow float32
    done = helpers.run_here(helpers.command(table, tmp_path / "run", rate))
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: (the loss of step|sample_\w+ after step|valid_\w+ after step) \d+ is (nan|inf); "
        r"lower optimizer.learning_rate. The best checkpoint so far is kept.",
        done.stderr.strip().splitlines()[-1],
    )
    assert "Traceback" not in done.stderr


def test_a_run_that_diverges_keeps_its_best_checkpoint(table, tmp_path):
    more = [f"--config.{s}" for s in ("eval_every=1", "steps_per_dispatch=1")]
    arguments = helpers.command(
        table, tmp_path / "run", *more, "--config.optimizer.learning_rate=1e37"
    )
    done = helpers.run_here(arguments)
    assert done.returncode == 1
    assert "The best checkpoint so far is kept." in done.stderr
    evaluated = helpers.run_here([*helpers.command("", "")[:3], f"--workdir={tmp_path / 'run'}",
                             "--mode=evaluate"])  # fmt: skip
    assert evaluated.returncode == 0, evaluated.stderr
    assert np.isfinite(json.loads((tmp_path / "run/summary.json").read_text())["mean_l2"])


def main(*arguments):
    return train.dccl.main(["train/dccl.py", *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no config given; add --config NAME, one of ag_news, "),
        (["--config=gone.py"], "no config file at 'gone.py'"),
        (["--config=configs/quickstart.py", "--config.modle.num_codebooks=3"],
         "config has no field 'modle'; it has: seed, batch_size, num_steps, parallel,"),
        (["--config=configs/quickstart.py", "--config.model.codebooks=3"],
         "config.model has no field 'codebooks'; it has: num_codebooks, num_codewords,"),
        (["--config.model.num_codebooks=many", "--config=configs/quickstart.py"],
         "config.model.num_codebooks is 'many'; expected int. config.model has: num_codebooks,"),
        (["--config=configs/quickstart.py", "--config.model=3"],
         "config.model is a group; set one of its fields: num_codebooks,"),
        (["--config=configs/quickstart.py", "--config.seed.x=3"], "config.seed is a int, not a"),
        (["--config=configs/quickstart.py", "--config.batch_size=0"],
         "batch_size is 0; it must be at least 1."),
        (["--config=configs/quickstart.py", "--mode=fly"], "fly"),
        (["--config=configs/quickstart.py", "--wrokdir=x"], "wrokdir"),
        (["--config=configs/quickstart.py", "stray"], "unexpected argument 'stray'"),
        (["--config=configs/quickstart.py", "--config.data.path=gone.txt"], "no file gone.txt"),
        (["--mode=evaluate", "--workdir=gone"], "workdir gone holds no run"),
        (["--config=pyproject.toml"], "no config 'pyproject.toml'; published are ag_news, "),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_line_and_writes_nothing(
    arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(helpers.ROOT)
    monkeypatch.delenv("JAXCOMPRESS_DATA", raising=False)
    workdir = tmp_path / "run"
    if not any(a.startswith("--workdir") for a in arguments):
        arguments = [*arguments, f"--workdir={workdir}"]
    assert main(*arguments) == 2
    lines = helpers.error_of(capsys).strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert not workdir.exists()


def test_a_workdir_of_another_config_or_other_data_is_refused(finished, table, tmp_path):
    workdir, _ = finished
    done = helpers.run_here(helpers.command(table, workdir, "--config.model.num_codewords=4"))
    assert done.returncode == 2
    assert "holds a run with model.num_codewords = 8, this one has 4" in done.stderr
    rows = np.load(table)
    rows[1] += 1  # one row is enough
    np.save(tmp_path / "other.npy", rows)
    done = helpers.run_here(helpers.command(tmp_path / "other.npy", workdir))
    assert done.returncode == 2
    assert "holds a run over other data" in done.stderr


def test_evaluate_and_export_take_the_config_of_the_workdir(finished):
    workdir, _ = finished
    summary = json.loads((workdir / "summary.json").read_text())
    (workdir / "export" / "model.codes").unlink()
    base = [*helpers.command("", "")[:3], f"--workdir={workdir}"]
    done = helpers.run_here([*base, "--mode=evaluate"])
    assert done.returncode == 0, done.stderr
    again = json.loads((workdir / "summary.json").read_text())
    assert re.search(r"^step \d+ of 60, the best so far$", done.stdout, re.MULTILINE)
    for name in set(SUMMARY) - {"train_seconds", "rows_per_second"}:
        np.testing.assert_allclose(again[name], summary[name], rtol=1e-6)
    assert not (workdir / "export" / "model.codes").exists()
    done = helpers.run_here([*base, "--mode=export"])
    assert done.returncode == 0, done.stderr
    assert (workdir / "export" / "model.codes").exists()


def small_config(table, **changes):
    return dccl.Config(
        batch_size=64,
        num_steps=20,
        report=False,
        data=dccl.DataConfig(path=str(table), **changes),
        model=dccl.ModelConfig(num_codebooks=4, num_codewords=8),
        refine=dccl.RefineConfig(num_rounds=1),
    )


def test_train_is_a_function_for_notebooks(table, tmp_path, capsys):
    codes, summary = train.dccl.train(small_config(table), str(tmp_path / "run"))
    assert codes.num_rows == summary["num_rows"] == 600
    assert "mean_squared_l2" in capsys.readouterr().out


def test_streamed_rows_give_the_same_codes_as_rows_on_the_device(table, tmp_path):
    codes, _ = train.dccl.train(small_config(table, stream=False), str(tmp_path / "placed"))
    streamed, _ = train.dccl.train(small_config(table, stream=True), str(tmp_path / "streamed"))
    np.testing.assert_array_equal(codes.codes, streamed.codes)


def test_without_held_out_rows_all_are_trained_on(table, tmp_path):
    _, summary = train.dccl.train(small_config(table, valid_rows=0), str(tmp_path / "run"))
    assert not [name for name in summary if name.startswith("valid")]


def test_compress_gives_codes_of_the_size_asked_for(table):
    rows = np.load(table)
    config = small_config(table)
    codes = jaxcompress.compress(rows, 3, 4, words=[f"w{i}" for i in range(600)], config=config)
    assert codes.codes.shape == (600, 3)
    assert codes.codebooks.shape == (3, 4, 16)
    assert ((codes.decode() - rows) ** 2).sum() < ((rows - rows.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(codes.lookup([5]), codes.decode([5]), atol=1e-5)


def test_compress_tells_what_it_cannot_take():
    rows = np.ones((100, 4), np.float32)
    rows[3, 1] = np.inf
    with pytest.raises(InputError, match=r"vectors: row 3 \(from 0\) holds NaN or infinity"):
        jaxcompress.compress(rows)
    with pytest.raises(InputError, match=r"vectors have shape \[4\]; expected \[rows, dim"):
        jaxcompress.compress(np.ones(4))
    with pytest.raises(InputError, match="10 rows to train on are fewer"):
        jaxcompress.compress(np.ones((10, 4)))
    with pytest.raises(InputError, match="num_codewords is 1"):
        jaxcompress.compress(np.ones((10, 4)), 4, 1)


def test_a_large_batch_is_clipped_with_a_note(table, tmp_path, caplog):
    config = dataclasses.replace(small_config(table), batch_size=5000)
    train.dccl.train(config, str(tmp_path / "run"))
    assert "batch_size 5000 was clipped to 570, for 570 training rows." in caplog.messages


@pytest.mark.slow
@pytest.mark.parametrize("name", ["glove", "glove_paper"])
def test_the_shipped_configs_run_on_real_rows(name, real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(helpers.ROOT)
    monkeypatch.setenv("JAXCOMPRESS_DATA", str(real_data))
    assert main(
        f"--config=configs/{name}.py", f"--workdir={tmp_path / 'run'}", "--config.num_steps=20",
        "--config.data.path=vectors/glove.6B.100d.2604.txt", "--config.data.max_rows=500",
        "--config.refine.num_rounds=2", "--config.report=false",
    ) == 0  # fmt: skip
    codes = jaxcompress.load(tmp_path / "run")
    assert codes.bits_per_row == 128
    assert "king" in codes or codes.words[0] == "the"
