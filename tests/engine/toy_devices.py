"""Run by test_devices.py on 8 devices: jit, pmap and one device give the same losses and carry."""

import functools
import logging

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxcompress.data.batches import shuffled
from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.job import Job
from jaxcompress.engine.loop import init_state, stack
from jaxcompress.engine.one_step import train_steps
from jaxcompress.engine.replicas import view_copies
from jaxcompress.engine.steps import make_engine
from jaxcompress.engine.task import Task, TrainState

rng = np.random.default_rng(0)
table = rng.normal(size=(64, 3)).astype(np.float32)


def init(key):
    return {"w": jax.random.normal(key, (3, 3))}, {}


def loss(params, aux, carry, batch, step, key):
    output = jnp.tanh(batch["rows"] @ params["w"] + 0.5 * carry)
    return jnp.square(output - 1.0).mean(), (jax.lax.stop_gradient(output), {})


task = Task(init, loss, evaluate=None, init_carry=lambda size: jnp.zeros((size, 3)))
tx = optax.adam(0.1)


def make_feed(batch_size):
    return shuffled(table, np.arange(64, dtype=np.int32), batch_size, 0, stream=False)


def train(step, feed, state, data):
    losses = []
    for start in range(0, 20, 5):
        index = stack([feed.index(step) for step in range(start, start + 5)])
        state, metrics = step(state, data, index, jax.random.key(1))
        losses.extend(np.asarray(metrics["loss"]))
    return losses, state


def run(parallel, batch_size=16):
    feed = make_feed(batch_size)
    engine = make_engine(parallel, batch_size, task, tx, feed.gather)
    data = engine.place_data(table)
    job = Job(task, tx, engine, data, feed, {}, RunConfig(batch_size=batch_size), 20, "")
    losses, state = train(engine.train, feed, engine.place_state(init_state(job)), data)
    feed = make_feed(16)
    sums = engine.map(sum_rows, (), data, feed.index(0))
    np.testing.assert_allclose(sums, table[feed.index(0)["ids"]].sum(axis=0), rtol=1e-5)
    return losses, jax.device_get(engine.global_state(state))


def run_on_one_device(batch_size):
    feed = make_feed(batch_size)
    params, aux = task.init(jax.random.fold_in(jax.random.key(0), 0))
    carry = task.init_carry(batch_size)
    state = TrainState(jnp.int32(0), params, tx.init(params), aux, carry)
    step = jax.jit(functools.partial(train_steps, gather=feed.gather, loss=loss, tx=tx))
    losses, state = train(step, feed, state, table)
    return losses, jax.device_get(state)


def check_a_batch_that_some_devices_compute_twice():
    notes = []
    logging.getLogger("jaxcompress").addHandler(logger := logging.Handler())
    logger.emit = lambda record: notes.append(record.getMessage())
    losses, state = run("jit", 12)
    assert notes == [
        "batch_size 12 splits into 4 equal parts at most for the 8 devices, and 2 of them compute "
        "each part; a multiple of their number would use them all."
    ], notes
    expected, expected_state = run_on_one_device(12)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert state.carry.shape == (12, 3)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), state, expected_state)


def sum_rows(state, batch):
    return batch["rows"].sum(axis=0)


def check_that_an_evaluation_copies_no_table():
    data = make_engine("pmap", 16, task, tx, make_feed(16).gather).place_data(table)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    view = view_copies(data, NamedSharding(mesh, PartitionSpec()))
    assert view.shape == (1, 64, 3)
    pointers = [
        sorted(shard.data.unsafe_buffer_pointer() for shard in x.addressable_shards)
        for x in (data, view)
    ]
    assert pointers[0] == pointers[1]


def main():
    assert jax.device_count() == 8
    check_that_an_evaluation_copies_no_table()
    check_a_batch_that_some_devices_compute_twice()
    losses, state = run("jit")
    losses_pmap, state_pmap = run("pmap")
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_allclose(losses_pmap, losses, rtol=1e-5)
    assert state.carry.shape == state_pmap.carry.shape == (16, 3)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), state_pmap, state)


if __name__ == "__main__":
    main()
