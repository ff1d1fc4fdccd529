"""Logits from tables of partial products, as a CPU makes them fast.

A row is a sum of codewords, so its product with a query is the sum of M partial products, read from
tables `codebooks @ query.T` [M, K, ...], as distances are in product quantization (Jegou, Douze &
Schmid 2011, section III.A). The gradient takes the same way back. Queries and rows are worked on in
parts, which stay in the cache.

Axis letters: V rows of the table, M codebooks, K codewords, D dimensions; "..." groups and members
of the queries.
"""

import jax
import jax.numpy as jnp

from jaxcompress.codes.decode import sum_type, take_rows
from jaxcompress.codes.meshes import most_devices, zeros_as
from jaxcompress.codes.parts import cut, divide, in_parts

_ROWS = 256  # rows of the table at a time
_QUERIES = 128  # queries at a time and device: their tables of partial products stay in the cache


def multiply(query, codes, codebooks):
    """Computes logits: query [..., D] -> [..., V].

    The sums are made as [rows, queries], since a gather is fast if what it takes lies in a row.
    """
    shape, kind = (*query.shape[:-1], len(codes)), jnp.result_type(query, codebooks)
    queries, rows = _divide(query, codes)

    def of_queries(logits, first, count):
        tables = _product(codebooks, cut(queries, first, count), ([2], [-1]))

        def of_rows(logits, row, num_rows):
            some_codes = cut(rows, row, num_rows).astype(jnp.int32)

            # Not unrolled: XLA would fuse the gathers into the transposition, 4 times as long.
            def add(m, sums):
                return sums + take_rows(tables[m], some_codes[..., m])

            sums = zeros_as(tables, (*num_rows, *count))
            sums = jax.lax.fori_loop(0, len(tables), add, sums)
            sums = _swap(sums, len(row)).astype(kind)
            return jax.lax.dynamic_update_slice(logits, sums, (*first, *row))

        return in_parts(of_rows, logits, rows)

    logits = zeros_as(query, (*queries.array.shape[:-1], *rows.array.shape[:-1]), kind)
    return in_parts(of_queries, logits, queries).reshape(shape)


def pull_back(query, codes, codebooks, d_logits):
    """Sums the cotangents of logits by code into those of `tables`, then multiplies these out."""
    kind = sum_type(query, codebooks)
    queries, rows = _divide(query, codes)
    d_logits = d_logits.reshape(*queries.array.shape[:-1], *rows.array.shape[:-1])

    def of_queries(sums, first, count):
        d_queries, d_codebooks = sums
        some_queries = cut(queries, first, count)

        def of_rows(d_tables, row, num_rows):
            some_codes = cut(rows, row, num_rows).astype(jnp.int32)
            d_sums = jax.lax.dynamic_slice(d_logits, (*first, *row), (*count, *num_rows))
            d_sums = _swap(d_sums, len(first)).astype(kind)

            def add(m, d_tables):
                at = d_tables.at[m, some_codes[..., m]]
                return at.add(d_sums, mode="promise_in_bounds")

            return jax.lax.fori_loop(0, codes.shape[1], add, d_tables)

        d_tables = zeros_as(query, (*codebooks.shape[:2], *count), kind)
        d_tables = in_parts(of_rows, d_tables, rows)
        part = _product(d_tables, codebooks, ([0, 1], [0, 1])).astype(query.dtype)
        d_queries = jax.lax.dynamic_update_slice(d_queries, part, (*first, 0))
        axes = list(range(len(count)))
        part = _product(d_tables, some_queries, ([2 + x for x in axes], axes))
        return d_queries, d_codebooks + part

    start = zeros_as(queries.array), zeros_as(codebooks, dtype=kind)
    d_queries, d_codebooks = in_parts(of_queries, start, queries)
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


def _divide(query, codes):
    """Divides queries [..., D] and codes [V, M]."""
    devices = most_devices(query, codes)
    return divide(query, _QUERIES * devices, devices), divide(codes, _ROWS, devices)
