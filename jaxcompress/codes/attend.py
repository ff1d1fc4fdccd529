"""Logits of a table of codes: products of queries with all rows, without making the table.

A row is a sum of codewords (Shu & Nakayama 2018, eq. 2), so its product with a query is the sum of
M partial products, read from tables `codebooks @ query.T` [M, K, B], as distances are in product
quantization (Jegou, Douze & Schmid 2011, section III.A). The gradient takes the same way back.

Axis letters: B queries, V rows of the table, M codebooks, K codewords, D dimensions.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcompress.codes.decode import sum_type
from jaxcompress.errors import InputError

_ROWS = 256  # rows of the table at a time
_QUERIES = 128  # queries at a time: their tables of partial products stay in the cache


@jax.jit
def attend(query: jax.Array, codes: jax.Array, codebooks: jax.Array) -> jax.Array:
    """Multiplies queries with all rows, `query @ table.T`, without making the table.

    Logit [b, v] is `sum_m tables[m, codes[v, m], b]`, with `tables = codebooks @ query.T`. Sums and
    gradients are float32 even if the arrays are of a smaller type. Gradients are by reverse mode
    only.

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
    logits = _attend(query.reshape(-1, dim), codes, codebooks)
    return logits.reshape(*query.shape[:-1], len(codes))


@jax.custom_vjp
def _attend(query, codes, codebooks):
    """Computes logits: query [B, D] -> [B, V].

    The sums are made as [rows, queries], since a gather is fast if what it takes lies in a row.
    """
    logits = jnp.zeros((len(query), len(codes)), jnp.result_type(query, codebooks))

    def of_queries(logits, first, count):
        tables = _einsum("mkd,bd->mkb", codebooks, _cut(query, first, count))

        def of_rows(logits, row, num_rows):
            some_codes = _cut(codes, row, num_rows).astype(jnp.int32)

            # Not unrolled: XLA would fuse the gathers into the transposition, 4 times as long.
            def add(m, sums):
                return sums + tables[m].at[some_codes[:, m]].get(mode="promise_in_bounds")

            sums = jnp.zeros((num_rows, count), tables.dtype)
            sums = jax.lax.fori_loop(0, len(tables), add, sums)
            return jax.lax.dynamic_update_slice(logits, sums.T.astype(logits.dtype), (first, row))

        return _in_parts(of_rows, logits, len(codes), _ROWS)

    return _in_parts(of_queries, logits, len(query), _QUERIES)


def _forward(query, codes, codebooks):
    return _attend(query, codes, codebooks), (query, codes, codebooks)


def _backward(residuals, d_logits):
    """Sums the cotangents of logits by code into those of `tables`, then multiplies these out."""
    query, codes, codebooks = residuals
    kind = sum_type(query, codebooks)

    def of_queries(sums, first, count):
        d_query, d_codebooks = sums

        def of_rows(d_tables, row, num_rows):
            some_codes = _cut(codes, row, num_rows).astype(jnp.int32)
            d_sums = jax.lax.dynamic_slice(d_logits, (first, row), (count, num_rows))
            d_sums = d_sums.T.astype(kind)

            def add(m, d_tables):
                return d_tables.at[m, some_codes[:, m]].add(d_sums, mode="promise_in_bounds")

            return jax.lax.fori_loop(0, codes.shape[1], add, d_tables)

        d_tables = jnp.zeros((*codebooks.shape[:2], count), kind)
        d_tables = _in_parts(of_rows, d_tables, len(codes), _ROWS)
        part = _einsum("mkb,mkd->bd", d_tables, codebooks).astype(query.dtype)
        d_query = jax.lax.dynamic_update_slice(d_query, part, (first, 0))
        return d_query, d_codebooks + _einsum("mkb,bd->mkd", d_tables, _cut(query, first, count))

    start = jnp.zeros_like(query), jnp.zeros(codebooks.shape, kind)
    d_query, d_codebooks = _in_parts(of_queries, start, len(query), _QUERIES)
    return d_query, None, d_codebooks.astype(codebooks.dtype)


_attend.defvjp(_forward, _backward)


def _einsum(form, a, b):
    """Multiplies in float32 at least: products of bfloat16 are exact there.

    The arrays are cast, and not only the sum, since XLA's product of bfloat16 for CPUs that is
    summed in float32 is missing in versions before jax 0.8.2.
    """
    kind = sum_type(a, b)
    return jnp.einsum(form, a.astype(kind), b.astype(kind))


def _in_parts(body: Callable, carry: Any, length: int, size: int) -> Any:
    """Runs `carry = body(carry, start, size)` over a length, part by part.

    A rest is a part of its own, smaller size, so that nothing is padded or summed twice.
    """
    count, rest = divmod(length, size)
    if count:
        carry = jax.lax.fori_loop(0, count, lambda i, c: body(c, i * size, size), carry)
    return body(carry, length - rest, rest) if rest else carry


def _cut(x: jax.Array, start: Any, size: int) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(x, start, size)
