"""What lets a computation of ours run wherever a user's model does: under any mesh.

jax has three kinds of mesh axes. Over Auto axes, the compiler splits arrays as it sees fit. Over
Explicit axes, the types of arrays say how they are split, and each operation must be sure of the
type of its result. Over Manual axes, inside of `shard_map`, the types say whether devices may hold
different values, and a loop's carry must begin with the type that it ends with.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec


def vary_together(*arrays: Any) -> list[jax.Array]:
    """Marks arrays as different on the devices where one of them is (`shard_map`).

    The gradient of an array that was the same on all devices is summed over them.
    """
    axes = frozenset().union(*(_varying_axes(x) for x in arrays))
    return [_vary(jnp.asarray(x), axes) for x in arrays]


def zeros_as(x: jax.Array, shape: Any = None, dtype: Any = None) -> jax.Array:
    """Makes zeros for a loop's carry: of the type of `x` but for what is given."""
    return _vary(jnp.zeros_like(x, dtype, shape), _varying_axes(x))


def _varying_axes(x: Any) -> frozenset:
    kind = jax.typeof(x)
    if hasattr(kind, "manual_axis_type"):  # jax 0.10
        return frozenset(kind.manual_axis_type.varying)
    return frozenset(kind.vma)


def _vary(x: jax.Array, axes: frozenset) -> jax.Array:
    missing = tuple(sorted(axes - _varying_axes(x)))
    if not missing:
        return x
    if hasattr(jax.lax, "pcast"):
        return jax.lax.pcast(x, missing, to="varying")
    return jax.lax.pvary(x, missing)  # before jax 0.8.2


def in_auto_mesh(function: Callable, out_spec: PartitionSpec) -> Callable:
    """Makes Explicit axes Auto inside of a function of arrays, if there are any.

    The gradient is computed in a region of its own: that of the region itself would leave arrays of
    the inner mesh outside, where jax cannot add them to others. So it is by reverse mode only.

    Args:
        function: arrays -> array.
        out_spec: how the result is split outside of the function.
    """

    def call(*arrays: jax.Array) -> jax.Array:
        mesh = _mesh_of(arrays)
        if not mesh.explicit_axes:
            return function(*arrays)
        in_region = lambda f, specs: jax.sharding.auto_axes(
            f,
            axes=mesh.explicit_axes,
            out_sharding=jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs),
        )

        def forward(*arrays):
            return in_region(function, out_spec)(*arrays), arrays

        def backward(arrays, cotangent):
            floats = [i for i, x in enumerate(arrays) if jnp.issubdtype(x.dtype, jnp.inexact)]

            def pull_back(*inputs):
                *inputs, cotangent = inputs

                def of_floats(*values):
                    for i, value in zip(floats, values, strict=True):
                        inputs[i] = value
                    return function(*inputs)

                return jax.vjp(of_floats, *(inputs[i] for i in floats))[1](cotangent)

            specs = tuple(spec_of(arrays[i]) for i in floats)
            found = iter(in_region(pull_back, specs)(*arrays, cotangent))
            return tuple(next(found) if i in floats else None for i in range(len(arrays)))

        differentiable = jax.custom_vjp(lambda *arrays: forward(*arrays)[0])
        differentiable.defvjp(forward, backward)
        return differentiable(*arrays)

    return call


def spec_of(x: jax.Array) -> PartitionSpec:
    """Tells over which Explicit axes an array is split: one entry per dimension."""
    return jax.typeof(x).sharding.spec


def join_specs(*entries: Any) -> PartitionSpec:
    """Makes a spec of entries for each dimension; of two that name one axis, the first stays."""
    taken: set = set()
    kept = []
    for entry in entries:
        names = set() if entry is None else set(entry if isinstance(entry, tuple) else (entry,))
        kept.append(None if names & taken else entry)
        taken |= names
    return PartitionSpec(*kept)


def most_devices(*arrays: jax.Array) -> int:
    """Counts the devices over which the compiler may split arrays: all, where no mesh is known."""
    mesh = _mesh_of(arrays)
    if mesh.empty:
        return jax.device_count()
    return math.prod(size for name, size in mesh.shape.items() if name not in mesh.manual_axes)


def _mesh_of(arrays: Sequence[Any]) -> Any:
    """Finds the mesh of arrays, or else that of the context; it may be empty."""
    for x in arrays:
        mesh = jax.typeof(x).sharding.mesh
        if not mesh.empty:
            return mesh
    return jax.sharding.get_abstract_mesh()
