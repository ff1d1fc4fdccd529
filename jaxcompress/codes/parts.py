"""Arrays that are worked on in parts, wherever a mesh has split them.

A part must not be a run of neighbours: if a mesh splits a dimension, neighbours are on one device,
and all devices would have to gather them. So a dimension is seen as [groups, members], with as many
groups as devices at most, and a part takes a few members of every group. One device has one group.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Parts(NamedTuple):
    """An array that is worked on in parts.

    Attributes:
        array: [..., D] or [..., M]; a dimension that is in groups is two: groups, their members.
        sizes: how long a part is along each dimension but the last.
    """

    array: jax.Array
    sizes: tuple[Any, ...]


def divide(x: jax.Array, at_a_time: int, devices: int) -> Parts:
    """Divides all dimensions but the last, so that few rows of the last are in a part.

    A dimension whose size is a symbol (`jax.export`) is left whole.

    Args:
        x: [..., D], with any leading dimensions.
        at_a_time: how many rows [D] are in a part.
        devices: over how many devices `x` may be split.
    """
    groups = [math.gcd(n, devices) if isinstance(n, int) else n for n in x.shape[:-1]]
    room = at_a_time // max(1, math.prod(n for n in groups if isinstance(n, int)))
    shape, sizes = [x.shape[-1]], []
    for length, count in reversed(list(zip(x.shape, groups, strict=False))):
        if isinstance(length, int):
            step = max(1, min(length // count, room))
            room //= step
            shape.insert(0, length // count)
            sizes.insert(0, step)
        if count != 1:
            shape.insert(0, count)
            sizes.insert(0, count)
    return Parts(x.reshape(shape), tuple(sizes))


def in_parts(
    body: Callable,
    carry: Any,
    parts: Parts,
    start: tuple = (),
    size: tuple = (),
    *,
    overlapping: bool = False,
):
    """Runs `carry = body(carry, start, size)` over all parts.

    A rest is a part of its own, smaller size, so that nothing is padded or summed twice. If parts
    may overlap, where a body writes and adds nothing up, it is as large as the others and begins
    before them: on a TPU two sizes of parts cost a copy of what is written.
    """
    axis = len(start)
    if axis == len(parts.sizes):
        return body(carry, start, size)
    length, step = parts.array.shape[axis], parts.sizes[axis]

    def take(carry, first, count):
        starts, sizes = (*start, first), (*size, count)
        return in_parts(body, carry, parts, starts, sizes, overlapping=overlapping)

    if step == length:
        return take(carry, 0, length)
    count, rest = divmod(length, step)
    if rest and overlapping:
        turn = lambda i, c: take(c, jnp.minimum(i * step, length - step), step)
        return jax.lax.fori_loop(0, count + 1, turn, carry)
    if rest:  # first, since XLA copies what is written after the loop and reshaped
        carry = take(carry, length - rest, rest)
    if count:
        carry = jax.lax.fori_loop(0, count, lambda i, c: take(c, i * step, step), carry)
    return carry


def cut(parts: Parts, start: tuple, size: tuple) -> jax.Array:
    """Takes a part, from `start` on and of a size, as `in_parts` gives them."""
    return jax.lax.dynamic_slice(parts.array, (*start, 0), (*size, parts.array.shape[-1]))
