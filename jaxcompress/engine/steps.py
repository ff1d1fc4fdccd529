"""Training and evaluation steps, and how they are spread over devices.

`jit`: one program over global arrays on a one-axis mesh. Batches are split over its axis, the
rest is replicated, and XLA adds the collectives: results do not depend on the number of devices.
`pmap`: the same step on each device's replica, which draws noise of its own, with gradients
averaged by hand.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from jaxcompress.engine.mapper import AXIS, Mapper, lay_out, make_mapper
from jaxcompress.engine.placement import join_parts, own_part, to_host
from jaxcompress.engine.task import PyTree, Task, TrainState
from jaxcompress.errors import InputError
from jaxcompress.notes import note


def train_step(
    state: TrainState,
    batch: PyTree,
    key: jax.Array,
    *,
    loss: Callable,
    tx: optax.GradientTransformation,
    axis_name: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Takes one optimiser step; `key` is the run's and is folded with the step.

    Args:
        state: before the step.
        batch: what `loss` takes.
        key: the run's, the same for all steps.
        loss: of a `Task`.
        tx: the optimiser.
        axis_name: the axis over which gradients are averaged; None: there is none.

    Returns:
        The next state, and scalar metrics of the batch: `loss` and the task's own.
    """
    key, params = jax.random.fold_in(key, state.step), state.params
    if axis_name is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
        # Without this cast the gradient of replicated params is summed over replicas already.
        params = jax.tree.map(lambda p: _as_varying(p, axis_name), params)

    def of_params(params):
        return loss(params, state.aux, state.carry, batch, state.step, key)

    (value, (carry, metrics)), gradients = jax.value_and_grad(of_params, has_aux=True)(params)
    metrics = {"loss": value, **metrics}
    if axis_name is not None:
        gradients, metrics = jax.lax.pmean((gradients, metrics), axis_name)
    updates, opt_state = tx.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, opt_state, state.aux, carry), metrics


def _as_varying(x: jax.Array, axis_name: str) -> jax.Array:
    if hasattr(jax.lax, "pcast"):
        return jax.lax.pcast(x, axis_name, to="varying")
    return jax.lax.pvary(x, axis_name)  # its name before jax 0.8


def train_steps(state, data, index, key, *, gather, **kwargs):
    """Takes as many steps as `index` has entries, in one dispatch; metrics are [steps] each."""

    def body(state, index):
        return train_step(state, gather(data, index), key, **kwargs)

    return jax.lax.scan(body, state, index)


class Engine(NamedTuple):
    """How steps are run on the devices there are; the loop and the mains see only this.

    Attributes:
        place_data: NumPy pytree -> the same on every device, each table stored row by row.
        place_shared: any pytree -> the same arrays on every device, as `map` takes them.
        place_state: a state (host or device) -> as `train` takes it.
        place_index: this process's part of an index (NumPy) -> the index [steps, B, ...] as `step`
            takes it.
        step: the compiled `state, data, index, key -> state, metrics`, of what has been placed.
        train: `state, data, index (NumPy), key -> state, metrics [steps]`; the index has leading
            axes [steps, B], and of B this process's part.
        global_state: the state of `train` as plain replicated arrays: to evaluate, to save.
        map: `function, state, data, index -> function(state, batch)`, replicated; the index is
            this process's part of B rows, a multiple of the number of devices.
        own_part: `() -> slice`, the part of a training batch that this process makes.
        mapper: how functions of other batches are run, of the same data.
    """

    place_data: Callable[[PyTree], PyTree]
    place_shared: Callable[[PyTree], PyTree]
    place_state: Callable[[TrainState], TrainState]
    place_index: Callable[[PyTree], PyTree]
    step: Callable[..., tuple[TrainState, dict]]
    train: Callable[..., tuple[TrainState, dict]]
    global_state: Callable[[TrainState], TrainState]
    map: Callable[..., PyTree]
    own_part: Callable[[], slice]
    mapper: Mapper


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
        return _pmap_engine(mapper, batch_size, task.loss, tx, gather)
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


@functools.lru_cache(maxsize=8)
def _pmap_steps(gather: Callable, loss: Callable, tx: optax.GradientTransformation) -> Callable:
    return jax.pmap(
        functools.partial(train_steps, gather=gather, loss=loss, tx=tx, axis_name=AXIS),
        axis_name=AXIS,
        in_axes=(0, 0, 0, None),
        donate_argnums=0,
    )


def _pmap_engine(mapper, batch_size, loss, tx, gather) -> Engine:
    place, split, num_local = mapper.place, mapper.split, jax.local_device_count()
    step = _pmap_steps(gather, loss, tx)
    everywhere = NamedSharding(split.mesh, PartitionSpec())
    to_devices = jax.pmap(lambda x: x)

    def replicate(tree):
        return jax.tree.map(lambda x: np.broadcast_to(x, (num_local, *np.shape(x))), tree)

    def part_of_each(tree, axis):
        """Splits `axis` of this process's part over its devices; their parts, stacked in front."""
        return jax.tree.map(lambda x: np.stack(np.split(x, num_local, axis)), tree)

    def place_data(data):
        return to_devices(replicate(data)) if jax.tree.leaves(data) else data

    def place_state(state):
        carry = multihost_utils.process_allgather(state.carry, tiled=True)
        carry = part_of_each(jax.tree.map(lambda x: x[mapper.part(batch_size)], carry), 0)
        return to_devices(replicate(to_host(state.replace(carry=()))).replace(carry=carry))

    def place_index(index):
        return part_of_each(index, 1)

    def train(state, data, index, key):
        state, metrics = step(state, data, place_index(index), key)
        return state, jax.tree.map(lambda x: x[0], metrics)

    def first_copy(tree):
        return jax.tree.map(lambda x: x.addressable_data(0)[0], tree)

    def global_state(state):
        carry = jax.tree.map(
            lambda x: np.concatenate([to_host(shard.data)[0] for shard in x.addressable_shards]),
            state.carry,
        )
        carry = multihost_utils.process_allgather(carry, tiled=True)
        rest = to_host(first_copy(state.replace(carry=())))
        return place(rest).replace(carry=place(carry, split))

    of_copy = make_mapper(_gather_of_copy(gather))

    def on_view(run, *arguments):
        *others, data, index = arguments
        views = jax.tree.map(lambda x: view_copies(x, everywhere), data)
        return run(*others, views, index)

    map_batch, update = (functools.partial(on_view, f) for f in (of_copy.map, of_copy.update))

    return Engine(
        place_data=place_data,
        place_shared=place,
        place_state=place_state,
        place_index=place_index,
        step=step,
        train=train,
        global_state=global_state,
        map=map_batch,
        own_part=functools.partial(mapper.part, batch_size),
        mapper=mapper._replace(map=map_batch, update=update),
    )


def view_copies(x: jax.Array, everywhere: NamedSharding) -> jax.Array:
    """Shows pmap's copies [number of devices, ...] as one replicated array [1, ...], uncopied."""
    copies = [shard.data for shard in x.addressable_shards]
    shape = (1, *x.shape[1:])
    return jax.make_array_from_single_device_arrays(shape, everywhere, copies)


@functools.lru_cache(maxsize=8)
def _gather_of_copy(gather: Callable) -> Callable:
    """Makes a `gather` that takes data with an axis of length 1 in front."""

    def gather_of_copy(data, index):
        return gather(jax.tree.map(lambda x: x[0], data), index)

    return gather_of_copy
