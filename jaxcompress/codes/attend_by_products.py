"""Logits by products of matrices, as a GPU or a TPU makes them fast.

A code is written as a vector of K numbers, one of which is 1: then a row of the table is a product
of its codes [M*K] with all codewords [M*K, D]. So many small steps become a few large ones. The
table is decoded a part at a time and never held.

Axis letters: V rows of the table, M codebooks, K codewords, D dimensions.
"""

import jax
import jax.numpy as jnp

from jaxcompress.codes.decode import one_hot_codes, sum_type
from jaxcompress.codes.meshes import most_devices, zeros_as
from jaxcompress.codes.parts import cut, divide, in_parts
from jaxcompress.codes.precision import exact_products

_ROWS = 2048  # rows of the table at a time


@exact_products
def multiply(query: jax.Array, codes: jax.Array, codebooks: jax.Array) -> jax.Array:
    """Computes logits: query [..., D] -> [..., V]."""
    kind, leading = jnp.result_type(query, codebooks), query.shape[:-1]
    rows = divide(codes, _ROWS, most_devices(query, codes))
    wide = sum_type(query, codebooks)
    query, codewords = query.astype(wide), _flat(codebooks).astype(wide)

    def of_rows(logits, first, count):
        decoded = one_hot_codes(cut(rows, first, count), codebooks.shape[1], wide) @ codewords
        part = jnp.tensordot(query, decoded, ([-1], [-1])).astype(kind)
        return jax.lax.dynamic_update_slice(logits, part, (*(0 for _ in leading), *first))

    logits = zeros_as(query, (*leading, *rows.array.shape[:-1]), kind)
    logits = in_parts(of_rows, logits, rows, overlapping=True)
    return logits.reshape(*leading, len(codes))


@exact_products
def pull_back(
    query: jax.Array, codes: jax.Array, codebooks: jax.Array, d_logits: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Computes the gradients of query and codebooks from that of the logits [..., V].

    Those of partial products, of each codeword with each query, come first: [M*K, ...]. They are
    summed over rows alone, which no device has to be asked for if the queries are split.
    """
    wide, leading = sum_type(query, codebooks), query.shape[:-1]
    rows = divide(codes, _ROWS, most_devices(query, codes))
    d_logits = d_logits.reshape(*leading, *rows.array.shape[:-1])
    axes = tuple(range(len(leading)))

    def of_rows(d_products, first, count):
        start = (*(0 for _ in leading), *first)
        part = jax.lax.dynamic_slice(d_logits, start, (*leading, *count)).astype(wide)
        one_hot = one_hot_codes(cut(rows, first, count), codebooks.shape[1], wide)
        of_row = range(len(first))
        return d_products + jnp.tensordot(
            one_hot, part, (tuple(of_row), tuple(len(leading) + i for i in of_row))
        )

    codewords = _flat(codebooks).astype(wide)
    d_products = zeros_as(query, (len(codewords), *leading), wide)
    d_products = in_parts(of_rows, d_products, rows)
    d_query = jnp.tensordot(d_products, codewords, ([0], [0]))
    over = tuple(1 + axis for axis in axes)
    d_codewords = jnp.tensordot(d_products, query.astype(wide), (over, axes))
    d_codebooks = d_codewords.reshape(codebooks.shape)
    return d_query.astype(query.dtype), d_codebooks.astype(codebooks.dtype)


def _flat(codebooks: jax.Array) -> jax.Array:
    """Writes codebooks [M, K, D] one below the other: [M*K, D]."""
    return codebooks.reshape(-1, codebooks.shape[-1])
