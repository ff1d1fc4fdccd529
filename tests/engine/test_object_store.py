"""A workdir in an object store holds what a local one does; what cannot be reached is one line."""

import json
import logging
import os

import helpers
import numpy as np
import pytest
from etils.epath.testing import mock_epath
from object_store import object_store
from test_stopping import job_of, raise_at

import jaxcompress
from jaxcompress import Codes, InputError, dccl
from jaxcompress.engine.log import read_lines
from jaxcompress.engine.loop import fit
from jaxcompress.engine.workdir import opened
from jaxcompress.errors import Stopped
from jaxcompress.loading import read_table
from train import ant, sentiment, tying
from train import dccl as dccl_main

WORKDIR = "gs://bucket/runs/a"


def files(folder):
    """The files below a folder, but for orbax's and those whose names hold a time."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    kept = (name for name in found if not name.startswith(("checkpoints/", "artefact/")))
    return sorted("tensorboard" if name.startswith("tensorboard/") else name for name in kept)


def test_a_run_in_an_object_store_is_that_of_a_local_one(table, tmp_path, capsys):
    run, local = tmp_path / "bucket" / "runs" / "a", tmp_path / "local"
    arguments, same = (helpers.command(table, workdir)[2:] for workdir in (WORKDIR, local))
    with object_store(tmp_path):
        assert dccl_main.main(arguments) == dccl_main.main(same) == 0
        assert files(run) == files(local)
        for name in ("model.safetensors", "model.codes", "model.codebook.npy"):
            assert (run / "export" / name).read_bytes()
        np.testing.assert_array_equal(helpers.losses(run), helpers.losses(local))
        assert dccl_main.main([*arguments, "--mode=export"]) == 0  # finds the run finished
        loaded = [jaxcompress.load(f"{WORKDIR}{rest}") for rest in (
            "", "/export/model.safetensors", "/export/model.codes")]  # fmt: skip
        loaded += [read_table(WORKDIR), read_table(f"{WORKDIR}/export/model.safetensors")]
        with pytest.raises(InputError, match=r"^gs://.*npy: data are read from local files"):
            read_table(f"{WORKDIR}/export/model.codebook.npy")
    for codes in loaded:
        np.testing.assert_array_equal(codes.codes, jaxcompress.load(local).codes)
    assert f"wrote {WORKDIR}/export/model.safetensors" in capsys.readouterr().out
    assert not list(helpers.ROOT.glob("gs:*"))


@pytest.mark.slow
def test_codes_of_a_split_table_are_written_to_an_object_store(table, tmp_path):
    workdir, local = tmp_path / "bucket" / "runs" / "a", tmp_path / "local"
    more = [f"--config.{s}" for s in ("data.shard=true", "data.num_shards=4", "batch_size=64")]
    arguments, same = (helpers.command(table, path, *more)[2:] for path in (WORKDIR, local))
    with object_store(tmp_path):
        assert dccl_main.main(arguments) == dccl_main.main(same) == 0
        assert dccl_main.main([*arguments, "--mode=evaluate"]) == 0  # finds the codes there
        codes = jaxcompress.load(WORKDIR).codes
    np.testing.assert_array_equal(codes, jaxcompress.load(local).codes)
    file = workdir / "export" / "model.safetensors"
    assert json.loads((workdir / "summary.json").read_text())["file_bytes"] == file.stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize(
    ("main", "command", "data", "modes"),
    [
        (tying.main, helpers.text_command, "text", ("evaluate", "generate")),
        (ant.main, helpers.ratings_command, "ratings_file", ("rank", "inspect")),
        (sentiment.main, helpers.sentiment_command, "reviews", ("evaluate", "compare")),
    ],
)
def test_every_method_runs_in_an_object_store(main, command, data, modes, request, tmp_path):
    arguments = command(request.getfixturevalue(data), WORKDIR)[2:]
    with object_store(tmp_path):
        assert main(arguments) == 0
        for mode in modes:
            more = ["--text=anna"] if mode == "generate" else []
            assert main([arguments[0], f"--workdir={WORKDIR}", f"--mode={mode}", *more]) == 0


def test_a_stopped_run_goes_on_past_a_damaged_checkpoint(tmp_path):
    run = tmp_path / "bucket" / "runs" / "a"
    with object_store(tmp_path):
        for step, at in ((2, 0), (4, 3)):
            with pytest.raises(Stopped, match=f"stopped at step {step} of 6"):
                fit(job_of(raise_at(2, at)), workdir=WORKDIR, show_progress=False)
        (run / "checkpoints" / "00000004" / "state" / "_METADATA").write_text("spoilt")
        for file in (run / "checkpoints" / "00000004" / "state").rglob("d/*"):
            os.truncate(file, 1)
        said = []
        with pytest.warns(UserWarning, match="checkpoint 4 cannot be read"):
            fitted = fit(job_of(), workdir=WORKDIR, say=said.append, show_progress=False)
        assert said == ["resumed from step 2 of 6"]
        assert [line["step"] for line in read_lines(WORKDIR)] == [4, 6]
    assert (run / "damaged" / "4").is_dir()
    whole = fit(job_of(), show_progress=False)
    np.testing.assert_array_equal(fitted.state.params["w"], whole.state.params["w"])


def test_the_run_that_saved_last_has_the_workdir(tmp_path):
    with object_store(tmp_path):
        lock = tmp_path / "bucket" / "runs" / "a" / ".lock"

        def another_run_saves(step):
            if step == 5:
                lock.write_text("its mark")

        with opened(WORKDIR, dccl.Config(), "data") as path:
            job = job_of(another_run_saves)
            with pytest.raises(InputError, match=f"workdir {WORKDIR} was taken by another run"):
                fit(job, workdir=path, show_progress=False)
        with opened(WORKDIR, dccl.Config(), "data") as path:  # a lost or killed run bars nobody
            assert fit(job_of(), workdir=path, show_progress=False).step == 6
        with (
            pytest.raises(InputError, match="holds a run over other data"),
            opened(WORKDIR, dccl.Config(), "other"),
        ):
            pass


def missing(original, path):
    raise ImportError("Please install gcsfs to access Google Storage")


def forbidden(original, path):
    logging.getLogger("gcsfs").error("a traceback")
    raise PermissionError(13, "Anonymous caller\nhas no access")


REFUSED = (
    (
        "gs://bucket/run",
        missing,
        'install it: pip install "jaxcompress[gcs]"',
    ),
    ("gs://bucket/run", forbidden, "cannot be reached ([Errno 13] Anonymous caller); check the"),
    ("s3://bucket/run", missing, "s3:// is not supported; expected a folder, or gs://BUCKET/..."),
)


@pytest.mark.parametrize(("uri", "exists", "expected"), REFUSED)
def test_a_place_that_cannot_be_reached_is_one_line(
    uri, exists, expected, table, text, tmp_path, monkeypatch, capsys, caplog
):
    commands = [
        (dccl_main.main, helpers.command(table, uri)),
        (dccl_main.main, [*helpers.command(table, "")[:3], "--mode=export", f"--workdir={uri}"]),
        (tying.main, helpers.text_command(text, uri)),
        (tying.main, ["", "", "", "--mode=compare", f"--workdirs={uri}"]),
        (ant.main, ["", "", "", "--mode=compare", f"--workdirs={uri}"]),
        (ant.main, helpers.ratings_command("ratings.csv", uri)),
        (sentiment.main, helpers.sentiment_command("reviews", uri)),
    ]
    codes = Codes(np.array([[0]]), np.ones((1, 1, 2)))
    monkeypatch.syspath_prepend(helpers.ROOT)
    configs = helpers.ROOT / "configs"
    monkeypatch.chdir(tmp_path)
    with mock_epath(exists=exists):
        for main, arguments in commands:
            arguments = [a.replace("=configs/", f"={configs}/") for a in arguments[2:]]
            assert main(arguments) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"error: {uri}")
            assert expected in line
        for call in (codes.save, codes.save_text, codes.to_word2vec, jaxcompress.load):
            with pytest.raises(InputError, match=f"^{uri}"):
                call(uri)
    assert not list(tmp_path.iterdir())
    assert not caplog.records
