"""Logits of a table of codes: products of queries with all rows, without making the table.

A row is a sum of codewords (Shu & Nakayama 2018, eq. 2), so its product with a query is the sum of
M partial products, read from tables `codebooks @ query.T` [M, K, ...], as distances are in product
quantization (Jegou, Douze & Schmid 2011, section III.A). The gradient takes the same way back.

Queries and rows are worked on in parts, which stay in the cache. A part must not be a run of
neighbours: if a mesh splits the queries, neighbours are on one device, and all devices would have
to gather them. So a dimension is seen as [groups, members], with as many groups as devices at most,
and a part takes a few members of every group. One device has one group.

Axis letters: V rows of the table, M codebooks, K codewords, D dimensions; "..." groups and members
of the queries.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcompress.codes.decode import sum_type, take_rows
from jaxcompress.codes.meshes import (
    in_auto_mesh,
    join_specs,
    most_devices,
    spec_of,
    vary_together,
    zeros_as,
)
from jaxcompress.errors import InputError

_ROWS = 256  # rows of the table at a time
_QUERIES = 128  # queries at a time and device: their tables of partial products stay in the cache


@jax.jit
def attend(query: jax.Array, codes: jax.Array, codebooks: jax.Array) -> jax.Array:
    """Multiplies queries with all rows, `query @ table.T`, without making the table.

    Logit [b, v] is `sum_m tables[m, codes[v, m], b]`, with `tables = codebooks @ query.T`. Sums and
    gradients are float32 even if the arrays are of a smaller type.

    Gradients are by reverse mode, and those of gradients by either: `jax.grad`, `jax.jacrev` and
    `jax.hessian` work; `jax.jvp` and `jax.jacfwd` of `attend` itself end in jax's TypeError.

    >>> codebooks = jnp.array([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 10.0], [0.0, 20.0]]])
    >>> rows = jnp.array([[0, 1], [1, 1]])  # that is [1, 20] and [2, 20]
    >>> attend(jnp.array([1.0, 0.5]), rows, codebooks)
    Array([11., 12.], dtype=float32)

    Args:
        query: [..., D].
        codes: int [V, M], each in [0, K); not checked.
        codebooks: [M, K, D].

    Returns:
        Logits [..., V], of the type to which query and codebooks are promoted.

    Raises:
        InputError: if the last dimension of the query is not D.
    """
    dim = codebooks.shape[-1]
    if query.ndim == 0 or query.shape[-1] != dim:
        raise InputError(f"the query is {list(query.shape)}; expected [..., {dim}].")
    query, codes, codebooks = vary_together(query, codes, codebooks)
    spec = join_specs(*spec_of(query)[:-1], spec_of(codes)[0])
    return in_auto_mesh(_attend, spec)(query, codes, codebooks)


@jax.custom_vjp
def _attend(query, codes, codebooks):
    return _multiply(query, codes, codebooks)


def _forward(query, codes, codebooks):
    # Not `_attend`: what has no rule of its own can be differentiated in forward mode too.
    return _multiply(query, codes, codebooks), (query, codes, codebooks)


def _backward(residuals, d_logits):
    d_query, d_codebooks = _pull_back(*residuals, d_logits)
    return d_query, None, d_codebooks


_attend.defvjp(_forward, _backward)


def _multiply(query, codes, codebooks):
    """Computes logits: query [..., D] -> [..., V].

    The sums are made as [rows, queries], since a gather is fast if what it takes lies in a row.
    """
    shape, kind = (*query.shape[:-1], len(codes)), jnp.result_type(query, codebooks)
    queries, rows = _divide(query, codes)

    def of_queries(logits, first, count):
        tables = _product(codebooks, _cut(queries, first, count), ([2], [-1]))

        def of_rows(logits, row, num_rows):
            some_codes = _cut(rows, row, num_rows).astype(jnp.int32)

            # Not unrolled: XLA would fuse the gathers into the transposition, 4 times as long.
            def add(m, sums):
                return sums + take_rows(tables[m], some_codes[..., m])

            sums = zeros_as(tables, (*num_rows, *count))
            sums = jax.lax.fori_loop(0, len(tables), add, sums)
            sums = _swap(sums, len(row)).astype(kind)
            return jax.lax.dynamic_update_slice(logits, sums, (*first, *row))

        return _in_parts(of_rows, logits, rows)

    logits = zeros_as(query, (*queries.array.shape[:-1], *rows.array.shape[:-1]), kind)
    return _in_parts(of_queries, logits, queries).reshape(shape)


def _pull_back(query, codes, codebooks, d_logits):
    """Sums the cotangents of logits by code into those of `tables`, then multiplies these out."""
    kind = sum_type(query, codebooks)
    queries, rows = _divide(query, codes)
    d_logits = d_logits.reshape(*queries.array.shape[:-1], *rows.array.shape[:-1])

    def of_queries(sums, first, count):
        d_queries, d_codebooks = sums
        some_queries = _cut(queries, first, count)

        def of_rows(d_tables, row, num_rows):
            some_codes = _cut(rows, row, num_rows).astype(jnp.int32)
            d_sums = jax.lax.dynamic_slice(d_logits, (*first, *row), (*count, *num_rows))
            d_sums = _swap(d_sums, len(first)).astype(kind)

            def add(m, d_tables):
                at = d_tables.at[m, some_codes[..., m]]
                return at.add(d_sums, mode="promise_in_bounds")

            return jax.lax.fori_loop(0, codes.shape[1], add, d_tables)

        d_tables = zeros_as(query, (*codebooks.shape[:2], *count), kind)
        d_tables = _in_parts(of_rows, d_tables, rows)
        part = _product(d_tables, codebooks, ([0, 1], [0, 1])).astype(query.dtype)
        d_queries = jax.lax.dynamic_update_slice(d_queries, part, (*first, 0))
        axes = list(range(len(count)))
        part = _product(d_tables, some_queries, ([2 + x for x in axes], axes))
        return d_queries, d_codebooks + part

    start = zeros_as(queries.array), zeros_as(codebooks, dtype=kind)
    d_queries, d_codebooks = _in_parts(of_queries, start, queries)
    return d_queries.reshape(query.shape), d_codebooks.astype(codebooks.dtype)


def _product(a, b, axes):
    """Multiplies in float32 at least: products of bfloat16 are exact there.

    The arrays are cast, and not only the sum, since XLA's product of bfloat16 for CPUs that is
    summed in float32 is missing in versions before jax 0.8.2.
    """
    kind = sum_type(a, b)
    return jnp.tensordot(a.astype(kind), b.astype(kind), axes)


def _swap(x, count):
    """Moves the first dimensions, so many, behind the others."""
    return jnp.transpose(x, (*range(count, x.ndim), *range(count)))


class _Parts(NamedTuple):
    """An array that is worked on in parts.

    Attributes:
        array: [..., D] or [..., M]; a dimension that is in groups is two: groups, their members.
        sizes: how long a part is along each dimension but the last.
    """

    array: jax.Array
    sizes: tuple[Any, ...]


def _divide(query, codes):
    """Divides queries [..., D] and codes [V, M]."""
    devices = most_devices(query, codes)
    queries = _divide_one(query, _QUERIES * devices, devices)
    return queries, _divide_one(codes, _ROWS, devices)


def _divide_one(x: jax.Array, at_a_time: int, devices: int) -> _Parts:
    """Divides all dimensions but the last, so that few rows of the last are in a part.

    A dimension whose size is a symbol (`jax.export`) is left whole.
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
    return _Parts(x.reshape(shape), tuple(sizes))


def _in_parts(body: Callable, carry: Any, parts: _Parts, start: tuple = (), size: tuple = ()):
    """Runs `carry = body(carry, start, size)` over all parts.

    A rest is a part of its own, smaller size, so that nothing is padded or summed twice.
    """
    axis = len(start)
    if axis == len(parts.sizes):
        return body(carry, start, size)
    length, step = parts.array.shape[axis], parts.sizes[axis]
    take = lambda carry, first, count: _in_parts(
        body, carry, parts, (*start, first), (*size, count)
    )
    if step == length:
        return take(carry, 0, length)
    count, rest = divmod(length, step)
    if rest:  # first, since XLA copies what is written after the loop and reshaped
        carry = take(carry, length - rest, rest)
    if count:
        carry = jax.lax.fori_loop(0, count, lambda i, c: take(c, i * step, step), carry)
    return carry


def _cut(parts: _Parts, start: tuple, size: tuple) -> jax.Array:
    return jax.lax.dynamic_slice(parts.array, (*start, 0), (*size, parts.array.shape[-1]))
