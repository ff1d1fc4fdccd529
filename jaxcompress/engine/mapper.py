"""How functions of a batch are run on devices: as one program over global arrays on one mesh."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxcompress.engine.placement import join_parts, own_part, place_array, place_rows
from jaxcompress.engine.task import PyTree

AXIS = "data"


class Mapper(NamedTuple):
    """How functions of a batch are run on the devices there are.

    What is placed may be shapes too, `jax.ShapeDtypeStruct`, by which `compile` and `Engine.step`
    are lowered for devices that are not there.

    Attributes:
        place: any pytree -> the same arrays on every device.
        place_data: NumPy pytree -> the same on every device, each table stored row by row.
        place_batch: this process's part of an index -> the index [B, ...], split over the devices.
        compile: `function` -> the compiled `state, data, index -> function(state, batch)`, of
            what has been placed, replicated.
        map: `function, state, data, index -> function(state, batch)`, replicated; `state` and
            `data` are as `place` and `place_data` give them, `index` is this process's part.
        compile_update: `function, held` -> the compiled `held, state, data, index -> held, outputs`
            of `update`.
        update: `function, held, state, data, index -> held, outputs`, those of `function(held,
            state, batch)`. `held` stays on the devices as it was placed, and what was given is used
            up; outputs are replicated.
        part: `B -> slice`, the part of a batch that this process makes.
        split: how the leading axis of a batch is laid out.
    """

    place: Callable[..., PyTree]
    place_data: Callable[[PyTree], PyTree]
    place_batch: Callable[[PyTree], PyTree]
    compile: Callable[[Callable], Callable]
    map: Callable[..., PyTree]
    compile_update: Callable[[Callable, PyTree], Callable]
    update: Callable[..., tuple[PyTree, PyTree]]
    part: Callable[[int], slice]
    split: NamedSharding


def make_mapper(
    gather: Callable[[Any, Any], PyTree], devices: Sequence[jax.Device] | None = None
) -> Mapper:
    """Builds the mapper over devices; B must be a multiple of their number.

    Args:
        gather: `data, index -> batch`, of a feed.
        devices: None: all devices of all processes.
    """
    split = make_split(devices)
    everywhere = NamedSharding(split.mesh, PartitionSpec())

    def place(tree: PyTree, sharding: NamedSharding = everywhere) -> PyTree:
        return jax.tree.map(lambda x: place_array(x, sharding), tree)

    def place_data(tree: PyTree) -> PyTree:
        return jax.tree.map(lambda x: place_rows(x, everywhere), tree)

    def place_batch(index: PyTree) -> PyTree:
        return join_parts(index, split)

    def compile_map(function: Callable) -> Callable:
        return _compile_map(function, gather, everywhere)

    def map_batch(function, state, data, index):
        return compile_map(function)(state, data, place_batch(index))

    def compile_update(function: Callable, held: PyTree) -> Callable:
        leaves, tree = jax.tree.flatten(held)
        kept = tuple(leaf.sharding for leaf in leaves)
        return _compile_update(function, gather, everywhere, kept, tree)

    def update(function, held, state, data, index):
        return compile_update(function, held)(held, state, data, place_batch(index))

    return Mapper(
        place=place,
        place_data=place_data,
        place_batch=place_batch,
        compile=compile_map,
        map=map_batch,
        compile_update=compile_update,
        update=update,
        part=functools.partial(own_part, split),
        split=split,
    )


def make_split(devices: Sequence[jax.Device] | None = None) -> NamedSharding:
    """Tells how a leading axis is split over devices; None: all devices of all processes."""
    devices = jax.devices() if devices is None else devices
    return NamedSharding(lay_out(devices, len(devices)), PartitionSpec(AXIS))


def lay_out(devices: Sequence[jax.Device], num_parts: int) -> Mesh:
    """Makes a mesh of so many parts of a batch, each of which several devices may compute.

    Devices of a process are neighbours, so that its part of a batch is a run of rows.
    """
    in_order = sorted(devices, key=lambda device: (device.process_index, device.id))
    shape = (num_parts, len(devices) // num_parts)
    mesh = np.array(in_order, object).reshape(shape)
    return Mesh(mesh, (AXIS, "copy"), axis_types=(AxisType.Auto,) * 2)


@functools.lru_cache(maxsize=64)
def _compile_map(function: Callable, gather: Callable, everywhere: NamedSharding) -> Callable:
    """Compiles a function of a batch; all mappers share it, so that a second run need not."""

    def run(state, data, index):
        return function(state, gather(data, index))

    return jax.jit(run, out_shardings=everywhere)


@functools.lru_cache(maxsize=64)
def _compile_update(
    function: Callable, gather: Callable, everywhere: NamedSharding, kept: tuple, tree: Any
) -> Callable:
    """Compiles a function of what is held and of a batch; `kept` are the shardings of the first."""

    def run(held, state, data, index):
        return function(held, state, gather(data, index))

    shardings = jax.tree.unflatten(tree, kept), everywhere
    return jax.jit(run, donate_argnums=0, out_shardings=shardings)


@functools.lru_cache(maxsize=8)
def gather_of_shards(gather: Callable) -> Callable:
    """Makes a `gather` of a table in shards [S, L, ...]: part s of a batch is rows of shard s.

    Seen shard by shard, rows of a batch are taken where they lie, and none is sent.
    """

    def gather_own(data, index):
        count = len(jax.tree.leaves(data)[0])
        apart = jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), index)
        batch = jax.vmap(gather)(data, apart)
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), batch)

    return gather_own
