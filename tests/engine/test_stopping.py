"""A signal stops a run wherever it arrives: saved if it can be, and never overheard."""

import signal

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcompress
from jaxcompress.cli.console import run_main
from jaxcompress.data.batches import in_order, shuffled
from jaxcompress.dccl.prepare import prepare
from jaxcompress.engine.checkpoint import Checkpoints
from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.job import Job
from jaxcompress.engine.loop import fit, init_state
from jaxcompress.engine.steps import make_engine
from jaxcompress.engine.task import Task
from jaxcompress.errors import Stopped

ROWS, IDS = np.ones((8, 2), np.float32), np.arange(8, dtype=np.int32)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A shell that starts the tests in the background has its jobs ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def loss(params, aux, carry, batch, step, key):
    return jnp.square(batch["rows"] @ params["w"]).mean(), (carry, {})


def evaluate(params, aux, carry, batch):
    return carry, {"error": jnp.square(params["w"]).sum(), "count": jnp.float32(1)}


TASK = Task(lambda key: ({"w": jnp.ones(2)}, {}), loss, evaluate)


def job_of(in_training=lambda step: None, in_evaluation=lambda step: None):
    """A run of 6 steps, 2 a dispatch, evaluated after step 4; both callbacks get a step."""
    feed = shuffled(ROWS, IDS, 8, 0, stream=False)
    tx = optax.sgd(0.1)
    engine = make_engine("jit", 8, TASK, tx, feed.gather)
    config = RunConfig(batch_size=8, eval_every=4, steps_per_dispatch=2)

    def index(step, part):
        in_training(step)
        return feed.index(step, part)

    def valid(step):
        in_evaluation(step)
        return in_order(ROWS, IDS, 8, stream=False)

    train = feed._replace(index=index)
    data = engine.place_data(ROWS)
    return Job(TASK, tx, engine, data, train, {"valid": valid}, config, 6, "valid_error")


def raise_at(number, at):
    def callback(step):
        if step == at:
            signal.raise_signal(number)

    return callback


@pytest.mark.parametrize(
    ("number", "where", "at", "stopped_at"),
    [
        (signal.SIGTERM, "in_training", 0, 2),
        (signal.SIGINT, "in_training", 3, 4),
        (signal.SIGINT, "in_training", 5, 6),  # the last dispatch
        (signal.SIGINT, "in_evaluation", 4, 4),
        (signal.SIGTERM, "in_evaluation", 6, 6),  # the last evaluation
    ],
)
def test_a_signal_stops_the_run_with_its_state_saved(number, where, at, stopped_at, tmp_path):
    handlers = [signal.getsignal(s) for s in SIGNALS]
    job = job_of(**{where: raise_at(number, at)})
    with pytest.raises(Stopped, match=f"^stopped at step {stopped_at} of 6$"):
        fit(job, workdir=tmp_path, show_progress=False)
    assert [signal.getsignal(s) for s in SIGNALS] == handlers
    checkpoints = Checkpoints(tmp_path, None)
    assert checkpoints.restore_latest(init_state(job)).step == stopped_at
    checkpoints.close()
    whole, again = (fit(job_of(), workdir=w, show_progress=False) for w in (None, tmp_path))
    np.testing.assert_array_equal(again.state.params["w"], whole.state.params["w"])


def test_a_signal_after_the_last_step_stops_too(tmp_path, monkeypatch):
    restore_best = Checkpoints.restore_best

    def interrupted(self, like):
        signal.raise_signal(signal.SIGTERM)
        return restore_best(self, like)

    monkeypatch.setattr(Checkpoints, "restore_best", interrupted)
    for _ in range(2):  # the second run finds nothing left to do
        with pytest.raises(Stopped, match=r"^stopped at step 6 of 6$"):
            fit(job_of(), workdir=tmp_path, show_progress=False)


def test_without_a_workdir_ctrl_c_is_a_keyboard_interrupt():
    with pytest.raises(KeyboardInterrupt):
        fit(job_of(in_training=raise_at(signal.SIGINT, 2)), show_progress=False)


def test_ctrl_c_in_compress_is_a_keyboard_interrupt(monkeypatch):
    def index(step, part):
        signal.raise_signal(signal.SIGINT)

    def interrupted(*args, **kwargs):
        problem = prepare(*args, **kwargs)
        return problem._replace(
            job=problem.job._replace(feed=problem.job.feed._replace(index=index))
        )

    monkeypatch.setattr("jaxcompress.dccl.prepare.prepare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        jaxcompress.compress(np.random.default_rng(0).normal(size=(64, 4)), 2, 4)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_outside_of_training_ends_a_main_in_one_line(number, capsys):
    before = signal.getsignal(signal.SIGTERM)

    def refine(arguments):
        signal.raise_signal(number)

    arguments = ["prog", "--mode=evaluate"]
    assert run_main(refine, arguments, ("train", "evaluate")) == 130
    assert capsys.readouterr().err == (
        "interrupted; run the same command to go on from the last checkpoint.\n"
    )
    assert signal.getsignal(signal.SIGTERM) is before
