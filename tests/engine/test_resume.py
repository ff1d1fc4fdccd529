import os
import shutil
import signal
import subprocess

import helpers
import numpy as np
import pytest

import jaxcompress
from jaxcompress import InputError


def test_the_same_command_again_finds_the_run_finished(finished, table):
    workdir, _ = finished
    before = jaxcompress.load(workdir / "export" / "model.safetensors")
    done = helpers.run_here(helpers.command(table, workdir))
    assert done.returncode == 0, done.stderr
    after = jaxcompress.load(workdir / "export" / "model.safetensors")
    np.testing.assert_array_equal(after.codes, before.codes)
    np.testing.assert_array_equal(after.codebooks, before.codebooks)
    assert len(helpers.losses(workdir)) == 60


@pytest.mark.parametrize("step", [pytest.param(22, marks=pytest.mark.slow), 45])
def test_killed_and_started_again_a_run_ends_with_the_same_bytes(finished, table, tmp_path, step):
    arguments = helpers.command(table, tmp_path / "run")
    with helpers.killed_at_step(arguments, tmp_path / "run", step):
        pass
    said = helpers.printed(arguments)
    if step == 45:  # the checkpoint of step 20 is surely whole by then
        assert "resumed from step " in said
    for name in ("model.codes", "model.codebook.npy"):
        expected = (finished[0] / "export" / name).read_bytes()
        assert (tmp_path / "run" / "export" / name).read_bytes() == expected
    np.testing.assert_array_equal(helpers.losses(tmp_path / "run"), helpers.losses(finished[0]))


def test_ctrl_c_saves_and_says_how_to_go_on(finished, table, tmp_path):
    arguments = helpers.command(table, tmp_path / "run")
    process = subprocess.Popen(
        arguments, cwd=helpers.ROOT, env=helpers.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    helpers.wait_for_step(process, tmp_path / "run", 5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    last = errors.strip().splitlines()[-1]
    assert last.startswith("stopped at step ")
    assert last.endswith("of 60; run the same command to go on.")
    assert "Traceback" not in errors
    stopped_at = last.split()[3]
    done = helpers.run_here(arguments)
    assert f"resumed from step {stopped_at} of 60" in done.stdout
    expected = (finished[0] / "export" / "model.codes").read_bytes()
    assert (tmp_path / "run" / "export" / "model.codes").read_bytes() == expected


def test_a_second_run_in_one_workdir_is_refused(table, tmp_path):
    arguments = helpers.command(table, tmp_path / "run")
    with helpers.killed_at_step(arguments, tmp_path / "run", 5) as process:
        process.send_signal(signal.SIGSTOP)
        second = helpers.run_here(arguments)
    assert second.returncode == 2
    assert "is in use by another run" in second.stderr.strip().splitlines()[-1]


def test_a_damaged_artefact_is_told_and_made_anew_by_export(finished, table, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(finished[0], workdir)
    damage(workdir / "artefact")
    with pytest.raises(InputError, match=r"artefact: cannot be read .*--mode export --workdir"):
        jaxcompress.load(workdir)
    base = [*helpers.command("", "")[:3], f"--workdir={workdir}"]
    done = helpers.run_here([*base, "--mode=export"])
    assert done.returncode == 0, done.stderr
    expected = jaxcompress.load(finished[0])
    np.testing.assert_array_equal(jaxcompress.load(workdir).codes, expected.codes)


def damage(checkpoint):
    """Cuts every data file of a checkpoint short."""
    for path in checkpoint.rglob("*"):
        if path.is_file() and path.stat().st_size > 1000:
            os.truncate(path, 500)


def flip(checkpoint):
    """Flips bytes in the middle of the largest data file of a checkpoint."""
    path = max(checkpoint.rglob("d/*"), key=lambda p: p.stat().st_size)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(255 - b for b in content[middle : middle + 64])
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [pytest.param(damage, marks=pytest.mark.slow), flip])
def test_a_damaged_latest_checkpoint_falls_back_to_the_one_before(finished, table, tmp_path, spoil):
    arguments = helpers.command(table, tmp_path / "run")
    assert helpers.run_here(arguments).returncode == 0
    checkpoints = tmp_path / "run" / "checkpoints"
    steps = sorted(p.name for p in checkpoints.iterdir() if p.name.isdigit())
    assert steps[-2:] == ["00000040", "00000060"]
    spoil(checkpoints / "00000060")
    done = helpers.run_here(arguments)
    assert done.returncode == 0, done.stderr
    assert "warning: checkpoint 60 cannot be read" in done.stderr
    assert "resumed from step 40 of 60" in done.stdout
    expected = (finished[0] / "export" / "model.codes").read_bytes()
    assert (tmp_path / "run" / "export" / "model.codes").read_bytes() == expected
    assert (tmp_path / "run" / "damaged" / "60").is_dir()
