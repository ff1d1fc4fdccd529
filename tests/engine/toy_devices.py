"""Run by test_devices.py on 8 devices: jit and pmap give the same losses and carry."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxcompress.data.batches import shuffled
from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.job import Job
from jaxcompress.engine.loop import init_state
from jaxcompress.engine.steps import make_engine, view_copies
from jaxcompress.engine.task import Task

rng = np.random.default_rng(0)
table = rng.normal(size=(64, 3)).astype(np.float32)


def init(key):
    return {"w": jax.random.normal(key, (3, 3))}, {}


def loss(params, aux, carry, batch, step, key):
    output = jnp.tanh(batch["rows"] @ params["w"] + 0.5 * carry)
    return jnp.square(output - 1.0).mean(), (jax.lax.stop_gradient(output), {})


task = Task(init, loss, evaluate=None, init_carry=lambda size: jnp.zeros((size, 3)))
tx = optax.adam(0.1)
feed = shuffled(table, np.arange(64, dtype=np.int32), 16, 0, stream=False)


def run(parallel):
    engine = make_engine(parallel, 16, task, tx, feed.gather)
    data = engine.place_data(table)
    job = Job(task, tx, engine, data, feed, {}, RunConfig(batch_size=16), 20, "")
    state = engine.place_state(init_state(job))
    losses = []
    for start in range(0, 20, 5):
        indices = [feed.index(step) for step in range(start, start + 5)]
        index = jax.tree.map(lambda *leaves: np.stack(leaves), *indices)
        state, metrics = engine.train(state, data, index, jax.random.key(1))
        losses.extend(np.asarray(metrics["loss"]))
    sums = engine.map(sum_rows, (), data, feed.index(0))
    np.testing.assert_allclose(sums, table[feed.index(0)["ids"]].sum(axis=0), rtol=1e-5)
    return losses, jax.device_get(engine.global_state(state))


def sum_rows(state, batch):
    return batch["rows"].sum(axis=0)


def check_that_an_evaluation_copies_no_table():
    data = make_engine("pmap", 16, task, tx, feed.gather).place_data(table)
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
    losses, state = run("jit")
    losses_pmap, state_pmap = run("pmap")
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_allclose(losses_pmap, losses, rtol=1e-5)
    assert state.carry.shape == state_pmap.carry.shape == (16, 3)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), state_pmap, state)


if __name__ == "__main__":
    main()
