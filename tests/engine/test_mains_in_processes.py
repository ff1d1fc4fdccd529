"""Each main in two processes: the losses of one, and the same bytes after one of them has died."""

import json

import helpers
import numpy as np
import pytest

MAINS = {  # main -> its data, a run of one process, its command, how far losses may be apart
    "dccl": ("table", "finished", helpers.command, 1e-6),
    "tying": ("text", "finished_lm", helpers.text_command, 2e-4),
    "ant": ("ratings_file", "finished_ratings", helpers.ratings_command, 1e-6),
    "sentiment": ("reviews", "finished_sentiment", helpers.sentiment_command, 1e-6),
}


def end_well(processes):
    """Waits for processes that have to end well; what each of them said."""
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    return [said for said, _ in outputs]


def results(workdir):
    """All that a run left, by file, and its figures; but for the seconds that it took."""
    files = [*(workdir / "export").rglob("*"), *workdir.glob("*.npz")]
    found = {str(file.relative_to(workdir)): content(file) for file in files if file.is_file()}
    summary = json.loads((workdir / "summary.json").read_text())
    return found, {name: value for name, value in summary.items() if "second" not in name}


def content(file):
    """The bytes of a file; seconds among the strings of tensors, and their hash, are left out."""
    found = file.read_bytes()
    if file.suffix != ".safetensors":
        return found
    end = 8 + int.from_bytes(found[:8], "little")
    strings = json.loads(found[8:end])["__metadata__"]
    strings = {name: x for name, x in strings.items() if name not in ("refine_seconds", "sha256")}
    return strings, found[end:]


@pytest.mark.parametrize(
    "main",
    ["dccl", *(pytest.param(main, marks=pytest.mark.slow) for main in MAINS if main != "dccl")],
)
def test_two_processes_have_the_losses_of_one_and_go_on_after_a_death(main, tmp_path, request):
    data, finished, command, rtol = MAINS[main]
    data, (one, _) = map(request.getfixturevalue, (data, finished))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    end_well(helpers.start_processes(command(data, whole, "--distributed")))
    np.testing.assert_allclose(helpers.losses(whole), helpers.losses(one), rtol=rtol)
    processes = helpers.start_processes(command(data, killed, "--distributed"))
    helpers.wait_for_step(processes[0], killed, 45)
    processes[1].kill()
    outputs = [process.communicate(timeout=60) for process in processes]
    assert processes[0].returncode == 1, outputs
    said, of_other = end_well(helpers.start_processes(command(data, killed, "--distributed")))
    assert "resumed from step " in said
    assert str(killed) in said
    assert str(killed) not in of_other  # it writes nothing
    np.testing.assert_array_equal(helpers.losses(killed), helpers.losses(whole))
    (files, figures), (expected, expected_figures) = results(killed), results(whole)
    assert files.keys() == expected.keys()
    assert files or main == "sentiment"  # which exports nothing
    assert [name for name in files if files[name] != expected[name]] == []
    assert figures == expected_figures
