"""Arrays on devices: how they are split, and in which order a table lies in memory."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.experimental.layout import Format, Layout
from jax.sharding import NamedSharding, PartitionSpec

from jaxcompress.data.row_shards import RowShards
from jaxcompress.engine.task import PyTree

TPU_LANES = 128  # numbers to which a TPU fills up a row


def place_array(x: Any, sharding: NamedSharding) -> jax.Array:
    """Makes an array over all devices of all processes, of an `x` that every process holds.

    Of a shape, `jax.ShapeDtypeStruct`, it makes one with the sharding.
    """
    if isinstance(x, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)
    # An equivalent sharding alone will not do: programs would be compiled for it once more.
    if isinstance(x, jax.Array) and x.sharding == sharding:
        return x
    if jax.process_count() == 1:
        return jax.device_put(x, sharding)
    if isinstance(x, jax.Array) and x.sharding.is_equivalent_to(sharding, x.ndim):
        return x
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(place_array(jax.random.key_data(x), sharding))
    x = to_host(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda part: x[part])


def own_part(split: NamedSharding, batch_size: int) -> slice:
    """Finds which of the B rows of a batch the devices of this process work on."""
    parts = split.addressable_devices_indices_map((batch_size,)).values()
    bounds = [rows.indices(batch_size)[:2] for (rows,) in parts]
    return slice(min(first for first, _ in bounds), max(end for _, end in bounds))


def join_parts(tree: PyTree, sharding: NamedSharding) -> PyTree:
    """Makes arrays over all devices of all processes, of the parts that each process holds.

    Of shapes, which are whole, it makes some with the sharding.
    """
    if jax.process_count() == 1:
        return jax.tree.map(lambda x: place_array(x, sharding), tree)
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, x), tree)


def place_rows(x: Any, sharding: NamedSharding) -> jax.Array:
    """Makes an array as `place_array` does; a table [..., D] is stored row by row.

    A TPU stores a table by columns unless D is a multiple of 128, to save padding. A program that
    takes rows of it would copy all of it first, in every dispatch.
    """
    if not is_by_columns(x.shape, sharding.mesh.devices.flat[0].platform):
        return place_array(x, sharding)
    if isinstance(x, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=_by_rows(sharding, len(x.shape)))
    return _store_by_rows(sharding, x.ndim)(place_array(x, sharding))


def is_by_columns(shape: tuple[int, ...], platform: str) -> bool:
    """Says whether a device would store an array by columns if nothing were said.

    >>> [is_by_columns(shape, "tpu") for shape in [(9, 300), (2, 9, 300), (9, 256), (9,)]]
    [True, True, False, False]
    >>> is_by_columns((9, 300), "gpu")
    False
    """
    return platform == "tpu" and len(shape) > 1 and shape[-1] % TPU_LANES != 0


def _by_rows(sharding: NamedSharding, ndim: int) -> Format:
    """Says that an array is stored row by row."""
    return Format(Layout(tuple(range(ndim))), sharding)


@functools.lru_cache(maxsize=8)
def _store_by_rows(sharding: NamedSharding, ndim: int) -> Any:
    """Compiles what stores an array anew, on several hosts too, where `device_put` cannot."""
    return jax.jit(lambda x: x, out_shardings=_by_rows(sharding, ndim))


def place_shards(table: Any, shards: RowShards, split: NamedSharding) -> jax.Array:
    """Places rows [N, ...] in shards: [S, L, ...], split over the devices, stored row by row.

    A process reads the rows of its own devices alone. Shards shorter than L end in zeros. Of a
    shape, `jax.ShapeDtypeStruct`, it makes one.
    """
    shape = (shards.count, shards.length, *table.shape[1:])
    if isinstance(table, jax.ShapeDtypeStruct):
        return place_rows(jax.ShapeDtypeStruct(shape, table.dtype), split)

    def read(part: tuple[slice, ...]) -> np.ndarray:
        first, end, _ = part[0].indices(shards.count)
        read = np.zeros((end - first, *shape[1:]), table.dtype)
        for shard, places in zip(range(first, end), read, strict=True):
            rows = shards.rows(shard)
            places[: rows.stop - rows.start] = table[rows]
        return read

    return place_rows(jax.make_array_from_callback(shape, split, read), split)


def from_shards(
    compute: Callable[[int], np.ndarray], shards: RowShards, split: NamedSharding
) -> np.ndarray:
    """Computes an array of every shard, each in the process whose devices have it: [S, ...].

    Processes exchange bytes, so that float64 stays what it is.
    """
    own = own_part(split, shards.count) if shards.count > 1 else slice(0, 1)
    found = np.stack([np.asarray(compute(shard)) for shard in range(own.start, own.stop)])
    if jax.process_count() == 1 or shards.count == 1:
        return found
    parts = multihost_utils.process_allgather(found.reshape(-1).view(np.uint8))
    return np.asarray(parts).reshape(-1).view(found.dtype).reshape(-1, *found.shape[1:])


@functools.partial(jax.jit, static_argnames="split")
def add_up_parts(parts: PyTree, split: NamedSharding) -> PyTree:
    """Adds up arrays [P, ...] of which each device has as many parts: [1, ...], on every device.

    Neighbours are added in pairs, and then pairs of them, so that the last digits are the same on
    1, 2, 4, ... devices. Each begins with its own parts, and what is left is sent at once.

    Args:
        parts: of one type.
        split: how the arrays are laid out.
    """
    leaves, tree = jax.tree.flatten(parts)
    sums = jnp.concatenate([x.reshape(len(x), -1) for x in leaves], axis=1)
    while len(sums) % (2 * split.num_devices) == 0:
        sums = jax.lax.with_sharding_constraint(sums[0::2] + sums[1::2], split)
    sums = jax.lax.with_sharding_constraint(sums, NamedSharding(split.mesh, PartitionSpec()))
    while len(sums) % 2 == 0:
        sums = sums[0::2] + sums[1::2]
    ends = np.cumsum([math.prod(x.shape[1:]) for x in leaves])
    whole = jnp.split(sums.sum(axis=0), ends[:-1])
    return tree.unflatten(s.reshape(1, *x.shape[1:]) for s, x in zip(whole, leaves, strict=True))


def stored_bytes(shape: tuple[int, int], dtype: Any, platform: str) -> int:
    """Counts the bytes that a table [N, D] takes on a device, where `place_rows` has placed it.

    >>> [stored_bytes((10, 50), np.float32, platform) for platform in ("gpu", "tpu")]
    [2000, 5120]
    """
    num_rows, dim = shape
    if platform == "tpu":
        dim = -(-dim // TPU_LANES) * TPU_LANES
    return num_rows * dim * np.dtype(dtype).itemsize


def to_host(tree: PyTree) -> PyTree:
    """Copies arrays that are the same on every device to NumPy."""
    return jax.tree.map(
        lambda x: np.asarray(x.addressable_data(0) if isinstance(x, jax.Array) else x), tree
    )
