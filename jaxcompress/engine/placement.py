"""Arrays on devices: how they are split, and in which order a table lies in memory."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.layout import Format, Layout
from jax.sharding import NamedSharding

from jaxcompress.engine.task import PyTree

TPU_LANES = 128  # numbers to which a TPU fills up a row


def place_array(x: Any, sharding: NamedSharding) -> jax.Array:
    """Makes an array over all devices of all processes, of an `x` that every process holds.

    Of a shape, `jax.ShapeDtypeStruct`, it makes one with the sharding.
    """
    if isinstance(x, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)
    if isinstance(x, jax.Array) and x.sharding.is_equivalent_to(sharding, x.ndim):
        return x
    if jax.process_count() == 1:
        return jax.device_put(x, sharding)
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
    """Makes an array as `place_array` does; a table [N, D] is stored row by row.

    A TPU stores a table by columns unless D is a multiple of 128, to save padding. A program that
    takes rows of it would copy all of it first, in every dispatch.
    """
    is_tpu = sharding.mesh.devices.flat[0].platform == "tpu"
    if not is_tpu or len(x.shape) != 2 or x.shape[1] % TPU_LANES == 0:
        return place_array(x, sharding)
    if isinstance(x, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=_by_rows(sharding))
    return _store_by_rows(sharding)(place_array(x, sharding))


def _by_rows(sharding: NamedSharding) -> Format:
    """Says that a matrix is stored row by row."""
    return Format(Layout((0, 1)), sharding)


@functools.lru_cache(maxsize=8)
def _store_by_rows(sharding: NamedSharding) -> Any:
    """Compiles what stores a matrix anew, on several hosts too, where `device_put` cannot."""
    return jax.jit(lambda x: x, out_shardings=_by_rows(sharding))


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
