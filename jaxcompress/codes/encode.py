"""Codes for rows never seen: a start, the best of several, and then local search.

Axis letters: B rows of a batch, N rows of a table, M codebooks, K codewords, D dimensions.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.decode import sum_codewords
from jaxcompress.codes.search import (
    beam_search,
    default_search_steps,
    improve_codes,
    squared_errors,
)
from jaxcompress.data.vectors.files import check_finite
from jaxcompress.errors import InputError
from jaxcompress.storage.bits import code_type

_BATCH = 1024  # rows at a time: what lies between the steps of a search stays in the cache


_KNOWN, _CHUNK = 65_536, 4096  # rows of a table that are looked through for a start; at a time


def check_rows(vectors: np.ndarray, dim: int) -> np.ndarray:
    """Rows of a table as float16 or float32 [N, D].

    Raises:
        InputError: where they are no finite matrix of `dim` columns.
    """
    try:
        rows = np.asarray(vectors)
        if rows.dtype not in (np.float16, np.float32):
            # Integers and strings of numbers are taken too; a complex number loses no part.
            casting = "same_kind" if rows.dtype.kind == "c" else "unsafe"
            rows = rows.astype(np.float32, casting=casting)
    except (TypeError, ValueError) as error:
        raise InputError(f"vectors are no matrix of numbers ({error}).") from None
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise InputError(
            f"vectors have shape {list(rows.shape)}; the codebooks make rows of {dim} dimensions: "
            f"expected [rows, {dim}]."
        )
    check_finite(rows, "vectors")
    return rows


def encode(
    vectors: np.ndarray,
    codebooks: np.ndarray,
    encoder: Mapping[str, np.ndarray] | None = None,
    *,
    known: np.ndarray | None = None,
    start: np.ndarray | None = None,
    num_rounds: int = 16,
    seed: int = 0,
) -> np.ndarray:
    """Does what `Codes.encode` says, for codebooks [M, K, D] and a table's codes [N, M], `known`.

    `encoder` are weights as `dccl.export_encoder` names them. Refinement moves codebooks away from
    what they were trained for, so its codes are no better a start than a beam search's everywhere.
    Where codebooks hold much of a small table, no search finds what its own rows have: there the
    nearest row's codes are the best start.
    """
    num_codebooks, num_codewords, dim = codebooks.shape
    rows = check_rows(vectors, dim)
    if num_rounds < 0:
        raise InputError(f"num_rounds is {num_rounds}; it must be at least 0.")
    if start is not None:
        start = _check_start(np.asarray(start), (len(rows), num_codebooks), num_codewords)
    table = None
    if start is None and known is not None and 0 < len(known) <= _KNOWN:
        table = _decode(jnp.asarray(known), codebooks)
    codes = np.zeros((len(rows), num_codebooks), code_type(num_codewords))
    weights = None if encoder is None or start is not None else dict(encoder)
    key, size = jax.random.key(seed), max(1, min(_BATCH, len(rows)))
    for number, first in enumerate(range(0, len(rows), size)):
        part = slice(first, first + size)
        count = len(rows[part])
        batch = np.zeros((size, dim), np.float32)
        batch[:count] = rows[part]
        begin = None
        if start is not None:
            begin = np.zeros((size, num_codebooks), codes.dtype)
            begin[:count] = start[part]
        found = _encode_batch(
            jax.random.fold_in(key, number), batch, codebooks, weights, table, begin, num_rounds
        )
        codes[part] = np.asarray(found)[:count]
    return codes


def _check_start(start: np.ndarray, shape: tuple[int, int], num_codewords: int) -> np.ndarray:
    is_there = start.shape == shape and np.issubdtype(start.dtype, np.integer)
    if not is_there or (start.size and not 0 <= start.min() <= start.max() < num_codewords):
        raise InputError(
            f"codes to start from are {start.dtype} {list(start.shape)}; expected integers "
            f"{list(shape)}, each from 0 to {num_codewords - 1}."
        )
    return start


class _Known(NamedTuple):
    """A table, in parts: codes [N, M], rows [parts, C, D], squared norms [parts, C]; what fills up
    the last part is infinitely far away."""

    codes: jax.Array
    rows: jax.Array
    squares: jax.Array


@jax.jit
def _decode(known: jax.Array, codebooks: jax.Array) -> _Known:
    rows = sum_codewords(codebooks, known)
    missing = -len(rows) % _CHUNK
    squares = jnp.pad(jnp.square(rows).sum(-1), (0, missing), constant_values=jnp.inf)
    rows = jnp.pad(rows, ((0, missing), (0, 0))).reshape(-1, _CHUNK, rows.shape[1])
    return _Known(known, rows, squares.reshape(-1, _CHUNK))


def _nearest_codes(rows: jax.Array, table: _Known) -> jax.Array:
    """The codes of the table's row that is nearest to each row [B, D]: int32 [B, M]."""

    def look(best, part):
        least, which = best
        number, chunk, squares = part
        scores = squares - 2.0 * rows @ chunk.T
        found = number * _CHUNK + jnp.argmin(scores, axis=1).astype(jnp.int32)
        lower = scores.min(axis=1)
        return (jnp.minimum(lower, least), jnp.where(lower < least, found, which)), None

    start = jnp.full(len(rows), jnp.inf), jnp.zeros(len(rows), jnp.int32)
    parts = jnp.arange(len(table.rows), dtype=jnp.int32), table.rows, table.squares
    (_, which), _ = jax.lax.scan(look, start, parts)
    return table.codes[which].astype(jnp.int32)


@functools.partial(jax.jit, static_argnames="num_rounds")
def _encode_batch(key, rows, codebooks, encoder, table, start, num_rounds):
    starts = [beam_search(rows, codebooks) if start is None else start.astype(jnp.int32)]
    if encoder is not None:
        starts.append(apply_encoder(encoder, rows, codebooks.shape[0]))
    if table is not None:
        starts.append(_nearest_codes(rows, table))

    def better(one, other):
        errors = (squared_errors(rows, codes, codebooks) for codes in (one, other))
        return jnp.where(jnp.greater(*errors)[:, None], other, one)

    codes = functools.reduce(better, starts)

    def search(i, codes):
        round_key = jax.random.fold_in(key, i)
        num_steps = default_search_steps(codebooks.shape[0])
        return improve_codes(round_key, rows, codes, codebooks, num_steps)

    return jax.lax.fori_loop(0, num_rounds, search, codes)


def apply_encoder(
    encoder: Mapping[str, jax.Array], rows: jax.Array, num_codebooks: int
) -> jax.Array:
    """The codes that an exported encoder gives rows [B, D]: int32 [B, M].

    Scores are not passed through a softplus (Shu & Nakayama 2018, eq. 7), which leaves their order.
    """
    rows = (rows - encoder["mean"]) / encoder["scale"]
    hidden = jnp.tanh(rows @ encoder["hidden.kernel"] + encoder["hidden.bias"])
    scores = hidden @ encoder["scores.kernel"] + encoder["scores.bias"]
    return jnp.argmax(scores.reshape(len(rows), num_codebooks, -1), axis=-1)
