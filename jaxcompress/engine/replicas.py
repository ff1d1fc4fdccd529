"""Steps as a replica on each device takes them, by `pmap`.

It draws noise of its own, and gradients are averaged by hand. What is evaluated and saved is the
first copy.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from jaxcompress.engine.engine import Engine
from jaxcompress.engine.mapper import AXIS, Mapper, make_mapper
from jaxcompress.engine.one_step import train_steps
from jaxcompress.engine.placement import to_host


@functools.lru_cache(maxsize=8)
def _pmap_steps(gather: Callable, loss: Callable, tx: optax.GradientTransformation) -> Callable:
    return jax.pmap(
        functools.partial(train_steps, gather=gather, loss=loss, tx=tx, axis_name=AXIS),
        axis_name=AXIS,
        in_axes=(0, 0, 0, None),
        donate_argnums=0,
    )


def make_replicas(
    mapper: Mapper,
    batch_size: int,
    loss: Callable,
    tx: optax.GradientTransformation,
    gather: Callable[[Any, Any], Any],
) -> Engine:
    """Builds the engine of replicas; arguments as `make_engine` takes them."""
    place, split, num_local = mapper.place, mapper.split, jax.local_device_count()
    step = _pmap_steps(gather, loss, tx)
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

    of_copies = _mapper_of_copies(mapper, gather)
    return Engine(
        place_data=place_data,
        place_shared=place,
        place_state=place_state,
        place_index=place_index,
        step=step,
        train=train,
        global_state=global_state,
        map=of_copies.map,
        own_part=functools.partial(mapper.part, batch_size),
        mapper=of_copies,
    )


def _mapper_of_copies(mapper: Mapper, gather: Callable[[Any, Any], Any]) -> Mapper:
    """Makes a mapper of data that lie in copies, which are viewed as one array."""
    everywhere = NamedSharding(mapper.split.mesh, PartitionSpec())
    of_copy = make_mapper(_gather_of_copy(gather))

    def on_view(run, *arguments):
        *others, data, index = arguments
        views = jax.tree.map(lambda x: view_copies(x, everywhere), data)
        return run(*others, views, index)

    map_batch, update = (functools.partial(on_view, f) for f in (of_copy.map, of_copy.update))
    return mapper._replace(map=map_batch, update=update)


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
