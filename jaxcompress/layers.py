"""Layers over codes, in the place of `flax.linen.Embed` and `flax.nnx.Embed`.

A table is M codes a row and M codebooks (Shu & Nakayama 2018, eq. 2), and the table [V, D] is never
made, neither for rows nor for logits. Logits of a tied output go through tables of partial
products, `query @ codebooks.T` [M, K, B], as distances do in product quantization (Jegou, Douze &
Schmid 2011, section III.A): a logit is the sum of M of them. So does the gradient on its way back.

Axis letters: B queries, V rows of the table, M codebooks, K codewords, D dimensions.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx
from flax.linen.dtypes import promote_dtype

from jaxcompress.compressed import Codes
from jaxcompress.errors import InputError
from jaxcompress.lookup import lookup

_ROWS = 256  # of the table, at a time
_QUERIES = 128  # at a time: their tables of partial products stay in the cache


class CodesEmbed(nn.Module):
    """Embeds ids by codes: `nn.Embed` without its table.

    `init` fills the variables from `codes`; `apply` reads the variables, so that they are arguments
    of the compiled program and none of its constants. `variables["codes"]["codes"]` is uint8 or
    uint16 [V, M]; the codebooks [M, K, D] are `variables["params"]["codebooks"]` if trainable, else
    `variables["codes"]["codebooks"]`.

    Attributes:
        codes: the artefact.
        trainable: whether the codebooks are parameters; the codes never are.
        dtype: of rows and logits; by default that of the codebooks, or what they and the query
            promote to.
        param_dtype: of the codebooks.

    Raises:
        InputError: where `codes` is no `Codes`, ids are not integers, or the query does not fit.
    """

    codes: Codes
    trainable: bool = False
    dtype: Any = None
    param_dtype: Any = jnp.float32

    num_embeddings = property(lambda self: self.codes.num_rows)
    features = property(lambda self: self.codes.dim)

    def __post_init__(self):
        _check_artefact(self.codes, "CodesEmbed")
        super().__post_init__()

    def setup(self):
        make_codebooks = lambda *_: jnp.asarray(self.codes.codebooks, self.param_dtype)
        make_codes = lambda: jnp.asarray(self.codes.codes)
        self.row_codes = self.variable("codes", "codes", make_codes)
        if self.trainable:
            self.codebooks = self.param("codebooks", make_codebooks)
        else:
            self.codebooks = self.variable("codes", "codebooks", make_codebooks).value

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Embeds ids.

        Args:
            ids: int, any shape; as for `nn.Embed`, -1 is the last row, and an id out of range gives
                NaN.

        Returns:
            [*ids.shape, D].
        """
        return _embed(self.row_codes.value, self.codebooks, ids, self.dtype)

    def attend(self, query: jax.Array) -> jax.Array:
        """Multiplies a query with every row: [..., D] -> logits [..., V]."""
        query, codebooks = promote_dtype(query, self.codebooks, dtype=self.dtype)
        return attend(query, self.row_codes.value, codebooks)


class Fixed(nnx.Variable):
    """What training does not change: codes, and codebooks that are not trainable."""


class NNXCodesEmbed(nnx.Module):
    """Embeds ids by codes: `nnx.Embed` without its table.

    `codes` is a `Fixed` variable, uint8 or uint16 [V, M]; `codebooks` [M, K, D] is an `nnx.Param`
    if trainable, else `Fixed`: `nnx.grad` and `nnx.Optimizer(..., wrt=nnx.Param)` pass both by.

    Args:
        codes: the artefact.
        trainable: whether the codebooks are parameters; the codes never are.
        dtype: of rows and logits; by default that of the codebooks.
        param_dtype: of the codebooks.

    Raises:
        InputError: where `codes` is no `Codes`, ids are not integers, or the query does not fit.
    """

    def __init__(
        self,
        codes: Codes,
        *,
        trainable: bool = False,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
    ):
        _check_artefact(codes, "NNXCodesEmbed")
        kind = nnx.Param if trainable else Fixed
        self.codes = Fixed(jnp.asarray(codes.codes))
        self.codebooks = kind(jnp.asarray(codes.codebooks, param_dtype))
        self.num_embeddings = codes.num_rows
        self.features = codes.dim
        self.dtype = dtype or param_dtype
        self.param_dtype = param_dtype

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Embeds ids, as `CodesEmbed` does: int of any shape -> [*ids.shape, D]."""
        return _embed(self.codes[...], self.codebooks[...], ids, self.dtype)

    def attend(self, query: jax.Array) -> jax.Array:
        """Multiplies a query with every row: [..., D] -> logits [..., V]."""
        query, codebooks = promote_dtype(query, self.codebooks[...], dtype=self.dtype)
        return attend(query, self.codes[...], codebooks)


def _check_artefact(codes: Any, layer: str) -> None:
    if not isinstance(codes, Codes):
        raise InputError(
            f"{layer} got a {type(codes).__name__}; expected a jaxcompress.Codes: "
            "jaxcompress.load(PATH) or jaxcompress.compress(TABLE) gives one."
        )


def _embed(codes: jax.Array, codebooks: jax.Array, ids: jax.Array, dtype: Any) -> jax.Array:
    """Rows [*ids.shape, D] of a type; NaN where there is no such row."""
    ids = jnp.asarray(ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise InputError(f"ids are {ids.dtype}; expected integers.")
    if ids.dtype.itemsize < 4:
        ids = ids.astype(jnp.int32)
    there = ids < len(codes)  # in their own type: uint32 has ids that int32 has not
    if jnp.issubdtype(ids.dtype, jnp.signedinteger):
        there &= ids >= -len(codes)
    rows = lookup(codes, codebooks, jnp.where(there, ids, 0).astype(jnp.int32))
    rows = jnp.where(there[..., None], rows, jnp.nan)
    return promote_dtype(rows, dtype=dtype, inexact=False)[0]


@jax.jit
def attend(query: jax.Array, codes: jax.Array, codebooks: jax.Array) -> jax.Array:
    """Multiplies queries with all rows, `query @ table.T`, without the table.

    Sums and gradients are float32 also for smaller types. Gradients are by reverse mode.

    Args:
        query: [..., D].
        codes: int [V, M], each in [0, K); not checked.
        codebooks: [M, K, D].

    Returns:
        Logits [..., V], of the type that query and codebooks promote to.

    Raises:
        InputError: where the last dimension of the query is not D.
    """
    dim = codebooks.shape[-1]
    if query.ndim == 0 or query.shape[-1] != dim:
        raise InputError(f"the query is {list(query.shape)}; expected [..., {dim}].")
    logits = _attend(query.reshape(-1, dim), codes, codebooks)
    return logits.reshape(*query.shape[:-1], len(codes))


@jax.custom_vjp
def _attend(query, codes, codebooks):
    """[B, D] -> [B, V].

    The sums are made as [rows, queries], since a gather is fast where what it takes lies in a row.
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
    """Sums the logits' cotangents by code, into those of the tables, and multiplies these out."""
    query, codes, codebooks = residuals
    kind = _sum_type(query, codebooks)

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
    return jnp.einsum(form, a, b, preferred_element_type=_sum_type(a, b))


def _sum_type(*arrays):
    return jnp.result_type(jnp.float32, *arrays)


def _in_parts(body: Callable, carry: Any, length: int, size: int) -> Any:
    """Runs `carry = body(carry, start, size)` over a length; what is left over is a part of its own
    size, so that nothing is padded and nothing is summed twice."""
    count, rest = divmod(length, size)
    if count:
        carry = jax.lax.fori_loop(0, count, lambda i, c: body(c, i * size, size), carry)
    return body(carry, length - rest, rest) if rest else carry


def _cut(x: jax.Array, start: Any, size: int) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(x, start, size)
