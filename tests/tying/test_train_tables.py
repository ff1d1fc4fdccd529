"""Runs of language models whose tables are not dense: figures, files, resuming, devices."""

import json

import helpers
import numpy as np
import pytest
import report_pages

import jaxcompress
import train.tying
from jaxcompress import tying

GROWING = ("--config.embedding.kind=nbant", "--config.embedding.num_anchors=4",
           "--config.embedding.max_anchors=8", "--config.embedding.delta=2",
           "--config.embedding.nonzeros=60", "--config.eval_every=5")  # fmt: skip


def main(*arguments):
    return train.tying.main(["train/tying.py", *arguments])


@pytest.fixture(scope="module")
def grown(text, tmp_path_factory):
    """The workdir of a run with RE and AL over a table of anchors."""
    workdir = tmp_path_factory.mktemp("runs") / "nbant"
    assert main(*helpers.SMALL_LM, f"--config.data.path={text}", f"--workdir={workdir}", *GROWING,
                "--config.num_steps=30", "--config.report=true") == 0  # fmt: skip
    return workdir


def test_a_run_leaves_a_small_table_that_is_opened_like_any_other(grown, capsys):
    table = jaxcompress.load(grown)
    assert isinstance(table, jaxcompress.SparseAnchors)
    assert 0 < table.nnz <= 60
    assert not (grown / "export" / "embedding.npy").exists()
    reader = tying.open_reader(grown)
    np.testing.assert_allclose(table.decode(), reader.params["embedding"], rtol=1e-5, atol=1e-6)
    assert list(table.words) == reader.words
    summary = json.loads((grown / "summary.json").read_text())
    assert summary["embedding_bytes"] == table.num_bytes()
    assert summary["variant"] == "VD-LSTM+REAL 16, embedding NBANT, 60 entries"
    assert summary["best_epoch"] * 37 > 20  # what has been pruned is chosen from
    page, _ = report_pages.check(grown / "report.html")
    assert "the embedding: NBANT, 60 entries" in page
    capsys.readouterr()
    assert main("--mode=predict", f"--workdir={grown}", "--text=anna", "--num_words=3") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_it_is_evaluated_and_compressed_tables_take_its_place(grown):
    before = json.loads((grown / "summary.json").read_text())["test_perplexity"]
    figures = tying.evaluate_codes(grown, grown)  # its own table, decoded
    np.testing.assert_allclose(figures["test_perplexity"], before, rtol=1e-6)
    np.testing.assert_allclose(figures["compressed_test_perplexity"], before, rtol=1e-5)
    assert figures["embedding_bytes"] == 4 * 17 * 16


@pytest.mark.slow
def test_codes_are_trained_inside_of_a_model_and_their_file_may_go(text, finished_lm, tmp_path):
    rows = np.load(finished_lm[0] / "export" / "embedding.npy")
    words = (finished_lm[0] / "export" / "embedding.words.txt").read_text().splitlines()
    given = tmp_path / "codes.safetensors"
    codes = jaxcompress.compress(rows, 4, 4, words=words, codebook_type="float32")
    codes.save(given)
    workdir = tmp_path / "run"
    assert main(*helpers.SMALL_LM, f"--config.data.path={text}", f"--workdir={workdir}",
                "--config.embedding.kind=codes",
                f"--config.embedding.codes={given}") == 0  # fmt: skip
    given.unlink()
    again = tying.perplexity(workdir)
    summary = json.loads((workdir / "summary.json").read_text())
    np.testing.assert_allclose(again, summary["test_perplexity"], rtol=1e-6)
    table = jaxcompress.load(workdir)
    np.testing.assert_array_equal(table.codes, codes.codes)
    assert np.abs(table.codebooks - codes.codebooks).max() > 0.01
    reader = tying.open_reader(workdir)
    np.testing.assert_allclose(table.decode(), reader.params["embedding"], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_broken_off_and_started_again_a_run_of_anchors_ends_with_the_same_bytes(text, tmp_path):
    whole = helpers.text_command(text, tmp_path / "whole", *GROWING)
    helpers.printed(whole)
    arguments = helpers.text_command(text, tmp_path / "run", *GROWING)
    helpers.break_off(arguments, 22)
    assert "resumed from step " in helpers.printed(arguments)
    files = [tmp_path / name / "export" / "anchors.safetensors" for name in ("whole", "run")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ant", "low_rank", "hashed"])
def test_losses_of_a_kind_do_not_depend_on_the_number_of_devices(kind, text, tmp_path):
    losses = []
    for devices in (1, 8):
        workdir = tmp_path / str(devices)
        done = helpers.run(
            helpers.text_command(text, workdir, f"--config.embedding.kind={kind}",
                                 "--config.num_steps=20"),
            num_devices=devices,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        losses.append(helpers.losses(workdir))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


@pytest.mark.slow
def test_with_pmap_codes_and_anchors_are_those_of_jit(text, tmp_path):
    losses = []
    for parallel in ("jit", "pmap"):
        done = helpers.run(
            helpers.text_command(text, tmp_path / parallel, *GROWING, "--config.num_steps=15",
                                 "--config.model.dropout=0", f"--config.parallel={parallel}"),
            num_devices=8,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        losses.append(helpers.losses(tmp_path / parallel))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
