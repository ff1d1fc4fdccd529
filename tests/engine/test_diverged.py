"""A run that comes apart is stopped, with its best state kept."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcompress.data.batches import in_order, shuffled
from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.job import Job
from jaxcompress.engine.log import read_lines
from jaxcompress.engine.loop import fit, restore_best
from jaxcompress.engine.steps import make_engine
from jaxcompress.engine.task import Task
from jaxcompress.errors import Diverged

ROWS, IDS = np.ones((8, 1), np.float32), np.arange(8, dtype=np.int32)


def job_of(figures):
    """A run of a step for each of these figures; w counts the steps, and the loss is w or NaN."""

    def init(key):
        return {"w": jnp.zeros(())}, {}

    def loss(params, aux, carry, batch, step, key):
        return params["w"], (carry, {"length": params["w"]})

    def evaluate(params, aux, carry, batch):
        step = params["w"].astype(int) - 1
        return carry, {"error": jnp.array(figures, jnp.float32)[step], "count": jnp.float32(1)}

    def remark(metrics):
        return "it is long." if metrics["length"] >= 1 else None

    feed, tx = shuffled(ROWS, IDS, 8, 0, stream=False), optax.sgd(-1.0)
    task = Task(init, loss, evaluate, remark=remark)
    engine = make_engine("jit", 8, task, tx, feed.gather)
    valid = in_order(ROWS, IDS, 8, stream=False)
    config = RunConfig(batch_size=8, eval_every=1, steps_per_dispatch=1)
    data = engine.place_data(ROWS)
    return Job(task, tx, engine, data, feed, {"valid": valid}, config, len(figures), "valid_error")


RUN_AWAY = (
    r"^valid_error after step 3 is 1,000, more than 10 times its best, 90; lower "
    r"optimizer.learning_rate. The best checkpoint so far is kept.$"
)


def test_a_figure_ten_times_its_best_stops_the_run_and_again_when_it_goes_on(tmp_path):
    job, lines = job_of([90, 150, 1000, 50]), []
    for _ in range(2):  # the second time it goes on from step 2, and remembers the best of step 1
        with pytest.raises(Diverged, match=RUN_AWAY):
            fit(job, workdir=tmp_path, show_progress=False, say=lines.append)
        best = restore_best(job, tmp_path)
        assert best.state.params["w"] == 1
    assert read_lines(tmp_path)[-1] == {"step": 3, "valid_error": 1000}
    assert lines == [
        "note: after step 2 it is long.",
        "resumed from step 2 of 4",
        "note: after step 3 it is long.",
    ]
    with pytest.raises(Diverged, match=RUN_AWAY):
        fit(job, show_progress=False, say=lines.append)


def test_a_figure_that_is_not_finite_stops_the_run():
    with pytest.raises(Diverged, match=r"^valid_error after step 2 is nan; lower"):
        fit(job_of([1, np.nan]), show_progress=False)


def test_a_figure_near_zero_may_rise():
    assert fit(job_of([1, 0.01, 0.5, 0.001, 0.9]), show_progress=False).step == 5


def test_the_best_state_comes_with_steps_and_seconds_of_the_whole_run(tmp_path):
    job = job_of([1, 0.5, 0.8])
    fitted, restored = fit(job, workdir=tmp_path, show_progress=False), restore_best(job, tmp_path)
    assert restored.state.params["w"] == fitted.state.params["w"] == 2
    assert restored.step == fitted.step == 3
    assert restored.train_seconds == fitted.train_seconds > 0
