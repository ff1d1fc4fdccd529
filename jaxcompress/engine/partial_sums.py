"""Inside of a step of training: which device has what of a sum over the batch.

A batch is split over the devices, and the compiler has a sum over it added up over all of them
wherever it stands. A gradient of a large table that is summed in two places, or in a loop, would be
sent more than once. Here it stays in parts, one for each part of the batch, until all is summed.

Elsewhere, and on one device, there is one part.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from jaxcompress.engine.task import PyTree


def on_every_device(x: jax.Array, axis: int | None = None) -> jax.Array:
    """Has an array, and its gradient, whole on every device.

    If there is an `axis`, that of the batch, what reads the array finds it split along it, so that
    the gradient is sent as it is, and not what it is made of.
    """
    whole, mesh = _place(x, PartitionSpec()), _mesh()
    if axis is None or mesh is None:
        return whole
    return _place(whole, PartitionSpec(*[None] * axis, mesh.axis_names[0]))


def zero_parts(tree: PyTree) -> PyTree:
    """Makes zeros of arrays [...], to add parts to: [G, ...], one for each part of the batch."""
    count = _num_parts()
    return jax.tree.map(lambda x: _split(jnp.zeros((count, *x.shape), x.dtype)), tree)


def multiply_parts(a: jax.Array, b: jax.Array) -> jax.Array:
    """Multiplies `a.T @ b` of each part's rows: [N, V] and [N, D] -> [G, V, D]."""
    return _split(jnp.einsum("gnv,gnd->gvd", *map(_by_parts, (a, b))))


def add_rows_to_parts(parts: jax.Array, ids: jax.Array, rows: jax.Array) -> jax.Array:
    """Adds rows [N, D] of each part to its own table: [G, V, D] at int [N] -> [G, V, D]."""
    ids, rows = map(_by_parts, (ids, rows))
    return _split(jax.vmap(lambda part, at, more: part.at[at].add(more))(parts, ids, rows))


def map_parts(function: Callable[..., PyTree], shared: PyTree, batch: PyTree) -> PyTree:
    """Computes `function(shared, batch)`, of which each row is made of one row of the batch.

    Each part of the batch has a copy of what is shared, so that the gradient of this is sent once,
    however often it is read.
    """
    count = _num_parts()
    if count == 1:
        return function(shared, batch)
    copies = jax.tree.map(lambda x: _split(jnp.broadcast_to(x, (count, *x.shape))), shared)
    rows = jax.vmap(function)(copies, jax.tree.map(_by_parts, batch))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), rows)


def _by_parts(x: jax.Array) -> jax.Array:
    """Cuts the rows of a batch into its parts: [N, ...] -> [G, N/G, ...]."""
    return _split(x.reshape(_num_parts(), -1, *x.shape[1:]))


def _num_parts() -> int:
    mesh = _mesh()
    return 1 if mesh is None else mesh.shape[mesh.axis_names[0]]


def _split(x: jax.Array) -> jax.Array:
    mesh = _mesh()
    return x if mesh is None else _place(x, PartitionSpec(mesh.axis_names[0]))


def _place(x: jax.Array, spec: PartitionSpec) -> jax.Array:
    return x if _mesh() is None else jax.lax.with_sharding_constraint(x, spec)


def _mesh() -> jax.sharding.AbstractMesh | None:
    """The mesh that a step is compiled for, whose first axis is the batch's; None elsewhere."""
    mesh = jax.sharding.get_abstract_mesh()
    return None if mesh.empty or mesh.manual_axes or mesh.size == 1 else mesh
