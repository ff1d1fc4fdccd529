import sys

import helpers
import numpy as np
import pytest

import jaxcompress


@pytest.fixture(scope="module")
def one_device(finished):
    return finished[0]


@pytest.fixture(scope="module")
def eight_devices(table, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "eight"
    done = helpers.run(helpers.command(table, workdir), num_devices=8)
    assert done.returncode == 0, done.stderr
    return workdir


def test_losses_do_not_depend_on_the_number_of_devices(one_device, eight_devices):
    one, eight = helpers.losses(one_device), helpers.losses(eight_devices)
    assert len(one) == 60
    np.testing.assert_allclose(eight[:20], one[:20], rtol=1e-5)


def test_a_checkpoint_of_eight_devices_opens_on_one(table, eight_devices):
    done = helpers.run(helpers.command(table, eight_devices, "--mode=evaluate"))
    assert done.returncode == 0, done.stderr
    assert "step 60 of 60" in done.stdout


def test_batches_of_any_size_and_pmap_give_the_losses_of_one_device():
    done = helpers.run([sys.executable, "tests/engine/toy_devices.py"], num_devices=8)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_pmap_trains_on_eight_devices_and_resumes(table, tmp_path, one_device):
    arguments = helpers.command(table, tmp_path / "pmap", "--config.parallel=pmap")
    done = helpers.run(arguments, num_devices=8)
    assert done.returncode == 0, done.stderr
    losses, jit_losses = helpers.losses(tmp_path / "pmap"), helpers.losses(one_device)
    np.testing.assert_allclose(losses[-10:].mean(), jit_losses[-10:].mean(), rtol=0.2)
    codes = jaxcompress.load(tmp_path / "pmap")
    assert codes.num_rows == 600


def test_a_batch_that_does_not_split_over_replicas_is_told(table, tmp_path):
    more = ("--config.batch_size=60", "--config.parallel=pmap")
    done = helpers.run(helpers.command(table, tmp_path / "run", *more), num_devices=8)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        "error: batch_size 60 must be a multiple of the 8 devices."
    )
    assert not (tmp_path / "run").exists()
