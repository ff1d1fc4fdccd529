"""Engines: how training steps are spread over devices.

`jit`: one program over global arrays on a one-axis mesh. Batches are split over its axis, the
rest is replicated, and XLA adds the collectives: results do not depend on the number of devices.
`pmap`: a replica of the same step on each device, `replicas.py`.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import optax
from jax.sharding import NamedSharding, PartitionSpec

from jaxcompress.engine.engine import Engine
from jaxcompress.engine.mapper import AXIS, lay_out, make_mapper
from jaxcompress.engine.one_step import train_steps
from jaxcompress.engine.placement import join_parts, own_part
from jaxcompress.engine.replicas import make_replicas
from jaxcompress.engine.task import PyTree, Task, TrainState
from jaxcompress.errors import InputError
from jaxcompress.notes import note


def make_engine(
    parallel: str,
    batch_size: int,
    task: Task,
    tx: optax.GradientTransformation,
    gather: Callable[[Any, Any], PyTree],
    devices: Sequence[jax.Device] | None = None,
) -> Engine:
    """Builds the engine for `parallel` "jit" or "pmap".

    A batch is split into as many equal parts as all devices can share evenly. If these are fewer
    than the devices, several of them compute the same part, which a note says.

    Args:
        parallel: the config's.
        batch_size: B, rows of a batch over all devices.
        task: what is trained.
        tx: the optimiser.
        gather: `data, index -> batch`, of the feeds.
        devices: None: all devices of all processes, which "pmap" always takes.

    Raises:
        InputError: if the batch cannot be split evenly over the replicas of "pmap".
    """
    mapper = make_mapper(gather, devices)
    place, devices = mapper.place, mapper.split.mesh.devices.flatten()
    if parallel == "pmap":
        if batch_size % len(devices):
            raise InputError(
                f"batch_size {batch_size} must be a multiple of the {len(devices)} devices."
            )
        return make_replicas(mapper, batch_size, task.loss, tx, gather)
    num_parts = math.gcd(batch_size, len(devices))
    _note_copies(batch_size, num_parts, len(devices))
    mesh = lay_out(devices, num_parts)
    everywhere, split, of_steps = (
        NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (AXIS,), (None, AXIS))
    )
    step = _jit_steps(gather, task.loss, tx, everywhere, split)

    def place_state(state):
        rest = place(state.replace(carry=()), everywhere)
        return rest.replace(carry=place(state.carry, split))

    def place_index(index):
        return join_parts(index, of_steps)

    def train(state, data, index, key):
        return step(state, data, place_index(index), key)

    return Engine(
        place_data=mapper.place_data,
        place_shared=place,
        place_state=place_state,
        place_index=place_index,
        step=step,
        train=train,
        global_state=lambda state: state,
        map=mapper.map,
        own_part=functools.partial(own_part, split, batch_size),
        mapper=mapper,
    )


def _note_copies(batch_size: int, num_parts: int, num_devices: int) -> None:
    if num_parts < num_devices and jax.process_index() == 0:
        note(
            f"batch_size {batch_size} splits into {num_parts} equal parts at most for the "
            f"{num_devices} devices, and {num_devices // num_parts} of them compute each part; "
            "a multiple of their number would use them all."
        )


@functools.lru_cache(maxsize=8)
def _jit_steps(
    gather: Callable,
    loss: Callable,
    tx: optax.GradientTransformation,
    everywhere: NamedSharding,
    split: NamedSharding,
) -> Callable:
    def steps(state, data, index, key):
        with jax.sharding.use_abstract_mesh(split.mesh.abstract_mesh):  # for `partial_sums.py`
            return train_steps(state, data, index, key, gather=gather, loss=loss, tx=tx)

    return jax.jit(
        steps,
        donate_argnums=0,
        out_shardings=(TrainState(*[everywhere] * 4, carry=split), everywhere),
    )
