"""Tables that are split by rows, on simulated devices and in several processes."""

import dataclasses
import json
import shutil
import subprocess
import sys
import types
from pathlib import Path

import helpers
import numpy as np
import pytest

import jaxcompress
from jaxcompress import dccl
from jaxcompress.codes import refine
from jaxcompress.dccl import split


def test_a_split_table_is_trained_on_and_coded_where_it_lies():
    done = helpers.run([sys.executable, "tests/dccl/split_on_devices.py"], num_devices=8)
    assert done.returncode == 0, done.stderr


SPLIT = ("--config.data.shard=True", "--config.data.num_shards=16", "--config.refine.num_rounds=3")


@pytest.fixture(scope="module")
def on_one_device(table, tmp_path_factory):
    """The workdir of a run of a split table on one device."""
    workdir = tmp_path_factory.mktemp("split") / "one"
    helpers.printed(helpers.command(table, workdir, *SPLIT))
    return workdir


@pytest.mark.slow
@pytest.mark.parametrize(("count", "num_devices"), [(1, 2), (1, 8), (2, 2), (4, 1)])
def test_a_run_is_the_same_on_any_devices_of_any_processes(
    table, tmp_path, on_one_device, count, num_devices
):
    workdir = tmp_path / "run"
    command = helpers.command(table, workdir, *SPLIT)
    command += ["--distributed"] * (count > 1)
    processes = helpers.start_processes(command, count, num_devices)
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0] * count, outputs
    np.testing.assert_allclose(helpers.losses(workdir), helpers.losses(on_one_device), rtol=1e-6)
    one, other = (json.loads((w / "summary.json").read_text()) for w in (on_one_device, workdir))
    names = "unrefined_mean_squared_l2", "soft_mean_l2", "valid_soft_mean_l2"
    for name in names:
        assert other[name] == pytest.approx(one[name], rel=1e-6)
    # The checkpoint opens on one device, which makes and refines the same codes of it.
    exported = workdir / "export" / "model.safetensors"
    codes = jaxcompress.load(exported)
    exported.unlink()
    shutil.rmtree(workdir / "refinement", ignore_errors=True)
    helpers.printed([*command[: -(count > 1) or None], "--mode=export"])
    np.testing.assert_array_equal(jaxcompress.load(exported).codes, codes.codes)
    np.testing.assert_array_equal(jaxcompress.load(exported).codebooks, codes.codebooks)


@pytest.mark.slow
def test_a_process_reads_its_own_part_of_a_mapped_table(tmp_path):
    if not Path("/proc/self/pagemap").exists():
        pytest.skip("this system does not tell which pages of a file a process has")
    np.save(tmp_path / "table.npy", np.random.default_rng(0).normal(size=(40_000, 64)).astype("f4"))
    program = [sys.executable, "tests/dccl/split_in_processes.py", "--distributed", "--mode=split"]
    processes = helpers.start_processes([*program, f"--workdir={tmp_path / 'run'}"])
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    shares = [[float(share) for share in said.split()[-8:]] for said, _ in outputs]
    for of_process in shares[0], shares[1][::-1]:
        # Beside what is read the system maps up to 2 MB of the file; an eighth of it is 1.3 MB.
        assert min(of_process[:4]) > 0.99, shares
        assert of_process[6:] == [0, 0], shares


@pytest.mark.slow
def test_a_run_that_stopped_in_refinement_goes_on_on_more_devices_and_ends_the_same(
    table, tmp_path, on_one_device, monkeypatch
):
    whole = jaxcompress.load(on_one_device)
    assert len(whole) == 600
    search, calls = refine.search, []

    def stops_in_round_2(*arguments):
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return search(*arguments)

    monkeypatch.setattr(refine, "search", stops_in_round_2)
    command = helpers.command(table, tmp_path / "stopped", *SPLIT)
    assert helpers.run_here(command).returncode == 130
    done = helpers.run(command, num_devices=4)
    assert "resumed from round 1 of 3" in done.stdout, done.stderr
    stopped = jaxcompress.load(tmp_path / "stopped")
    np.testing.assert_array_equal(stopped.codes, whole.codes)
    np.testing.assert_array_equal(stopped.codebooks, whole.codebooks)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("parallel=pmap",), 'data.shard is True; it needs parallel = "jit", not "pmap".'),
        (("batch_size=60",), "batch_size 60 must be a multiple of the 16 shards."),
        (("data.num_shards=200",), "600 rows are too few for data.num_shards = 200; "),
        (("model.codebooks_per_group=2",), "data.shard is True; codebooks in groups are for "),
    ],
)
def test_what_cannot_be_split_is_told_in_a_line(table, tmp_path, more, message):
    settings = [f"--config.{setting}" for setting in more]
    done = helpers.run_here(helpers.command(table, tmp_path / "run", *SPLIT, *settings))
    assert done.returncode == 2
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("error: ")]
    assert message in line
    assert not (tmp_path / "run").exists()


def test_a_table_too_large_for_a_device_is_split_where_there_are_several(monkeypatch):
    gpus = [types.SimpleNamespace(platform="gpu")] * 8
    for is_large, shard, chosen in (
        (True, None, True),
        (True, False, False),
        (False, None, None),
    ):
        monkeypatch.setattr(split, "is_too_large", lambda rows, is_large=is_large: is_large)
        notes, config = [], dccl.Config(data=dccl.DataConfig(shard=shard))
        settled = split.settle_shard(np.zeros((4, 2)), config, notes.append, gpus)
        assert settled.data.shard is chosen
        assert len(notes) == (chosen != shard)


@pytest.mark.parametrize(
    "change", [{"batch_size": 1000}, {"model": dccl.ModelConfig(codebooks_per_group=1)}]
)
def test_a_table_is_not_split_where_that_would_refuse_the_run(monkeypatch, change):
    monkeypatch.setattr(split, "is_too_large", lambda rows: True)
    config, gpus = dccl.Config(**change), [types.SimpleNamespace(platform="gpu")] * 8
    assert split.settle_shard(np.zeros((4, 2)), config, pytest.fail, gpus) is config


def test_a_run_goes_on_split_as_it_began(tmp_path):
    config = dccl.Config()
    assert split.as_split(config, tmp_path) is None
    for shard in (True, False, None):
        began = dataclasses.replace(config, data=dccl.DataConfig(shard=shard))
        (tmp_path / "config.json").write_text(json.dumps(dataclasses.asdict(began)))
        assert split.as_split(config, tmp_path).data.shard is shard
        for own in (True, False):
            given = dataclasses.replace(config, data=dccl.DataConfig(shard=own))
            assert split.as_split(given, tmp_path) == given


@pytest.mark.parametrize(("num_rows", "dim"), [(100_000_000, 128), (30_000_000, 300)])
def test_tables_that_no_chip_could_hold_compile_for_a_pod_slice(num_rows, dim):
    pytest.importorskip("libtpu")
    arguments = [sys.executable, "tests/dccl/split_on_tpu.py", str(num_rows), str(dim)]
    done = subprocess.run(
        arguments,
        cwd=helpers.ROOT,
        env=helpers.environment(
            ALLOW_MULTIPLE_LIBTPU_LOAD="1",
            JAX_ENABLE_COMPILATION_CACHE="0",
            TPU_ACCELERATOR_TYPE="v5litepod-8",
            TPU_LOG_DIR="disabled",
            TPU_SKIP_MDS_QUERY="1",
            TPU_WORKER_HOSTNAMES="localhost",
        ),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
