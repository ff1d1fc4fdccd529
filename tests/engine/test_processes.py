"""Of several processes each ends when another is stopped or dies, and says so in one line."""

import itertools
import sys

import helpers
import pytest
from test_stopping import job_of

from jaxcompress.cli.console import run_main
from jaxcompress.engine.checkpoint import Checkpoints
from jaxcompress.engine.loop import init_state

MODES = ("stop-1", "die-0", "die-1")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two processes for each mode, all started at once, and the folder of their workdirs."""
    folder = tmp_path_factory.mktemp("pairs")
    program = (sys.executable, "tests/engine/toy_processes.py", "--distributed")
    started = {
        mode: helpers.start_processes([*program, f"--mode={mode}", f"--workdir={folder / mode}"])
        for mode in MODES
    }
    yield started, folder
    for process in itertools.chain(*started.values()):
        process.kill()
        process.wait()


@pytest.mark.parametrize("victim", [0, 1])
def test_if_one_process_dies_the_other_says_so_in_one_line_and_ends(pairs, victim):
    started, _ = pairs
    dying, other = (started[f"die-{victim}"][i] for i in (victim, 1 - victim))
    dying.communicate(timeout=300)
    assert dying.returncode == 128 + 9
    # Ten seconds on an idle machine; more if it is busy, but less than the minute that jax takes.
    _, errors = other.communicate(timeout=40)
    assert errors.strip() == "error: another process died; run the same command to go on."
    assert other.returncode == 1


def test_sigterm_of_one_process_stops_all_at_one_step_with_their_state_saved(pairs):
    started, folder = pairs
    outputs = [process.communicate(timeout=300) for process in started["stop-1"]]
    assert [process.returncode for process in started["stop-1"]] == [130, 130], outputs
    for _, errors in outputs:
        assert errors == "stopped at step 4 of 6; run the same command to go on.\n"
    checkpoints = Checkpoints(folder / "stop-1", None)
    assert checkpoints.restore_latest(init_state(job_of())).step == 4
    checkpoints.close()


def test_processes_that_cannot_join_are_told_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr("jaxcompress.engine.processes._go_on_in_child", lambda: None)
    monkeypatch.setenv("JAX_NUM_PROCESSES", "two")
    assert run_main(None, ["prog", "--distributed", "--mode=go"], ("train", "go")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the processes cannot join (invalid literal for int()")
    assert line.endswith(
        "set JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID in each."
    )
