"""Codes for rows never seen: the best of several starts, and then local search.

Axis letters: B rows of a batch, N rows of a table, M codebooks, K codewords, D dimensions.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.decode import sum_codewords
from jaxcompress.codes.grouped import search_codes
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.precision import exact_products
from jaxcompress.codes.scale import scale_exponent
from jaxcompress.codes.search import (
    beam_search,
    default_search_steps,
    squared_errors,
)
from jaxcompress.data.vectors.arrays import take_rows
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.errors import InputError
from jaxcompress.storage.bits import code_type

# Rows at a time. On CPU what a search keeps between its steps stays in the cache.
_CPU_BATCH, _BATCH = 256, 4096
_MAX_KNOWN = 65_536  # rows of the largest table in which the nearest row is looked for
_CHUNK = 4096  # rows of that table at a time


@own_settings
def encode(
    vectors: Any,
    codebooks: np.ndarray,
    encoder: Mapping[str, np.ndarray] | None = None,
    *,
    known: np.ndarray | None = None,
    start: np.ndarray | None = None,
    num_rounds: int = 16,
    seed: int = 0,
    groups: Groups | None = None,
) -> np.ndarray:
    """Finds codes of rows; `Codes.encode` with everything it needs as arrays.

    Refinement moves codebooks away from those that the encoder was trained with, so its codes are
    not always a better start than those of a beam search. If codebooks hold much of a small table,
    no search finds what is stored for its own rows: there the codes of the nearest row are the
    best start. So a row starts with the best of all three.

    The search draws the same numbers for every row: the codes of a row do not depend on the rows
    beside it, on its place among them, or on their number. For sums that differ in their last
    digits lead to other codes, all batches are of one size, and fewer rows are filled up to it.

    Args:
        vectors: float [B, D], as `compress` takes them.
        codebooks: float32 [M, K, D].
        encoder: weights by name, as `apply_encoder` takes them; or None.
        known: int [N, M], codes of the table whose nearest rows are looked for; or None.
        start: int [B, M], codes to begin with, in place of all others; or None.
        num_rounds: rounds of local search.
        groups: the layout of the codebooks.
        seed: the search's randomness.

    Returns:
        uint8 or uint16 [B, M].

    Raises:
        InputError: if vectors, `start` or `num_rounds` are invalid.
    """
    num_codebooks, num_codewords, dim = codebooks.shape
    rows = take_rows(vectors, dim).rows
    if num_rounds < 0:
        raise InputError(f"num_rounds is {num_rounds}; it must be at least 0.")
    kind, table, weights = code_type(num_codewords), None, None
    exponent = scale_exponent(codebooks.reshape(-1, dim))
    codebooks = np.ldexp(codebooks, -exponent)
    if start is not None:
        start = _check_start(np.asarray(start), (len(rows), num_codebooks), num_codewords)
    else:
        weights = None if encoder is None else _scale_encoder(encoder, -exponent)
        if known is not None and 0 < len(known) <= _MAX_KNOWN:
            table = _decode(jnp.asarray(known), codebooks)
    codes = np.zeros((len(rows), num_codebooks), kind)
    key = jax.random.key(seed)
    size = _CPU_BATCH if jax.default_backend() == "cpu" else _BATCH
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        batch = _pad_rows(np.ldexp(rows[part].astype(np.float32), -exponent), size)
        begin = None if start is None else _pad_rows(start[part].astype(kind), size)
        found = _encode_batch(key, batch, codebooks, weights, table, begin, num_rounds, groups)
        codes[part] = np.asarray(found)[: len(codes[part])]
    return codes


def _pad_rows(rows: np.ndarray, size: int) -> np.ndarray:
    """Fills rows up to a number of them, with zeros: [at most size, ...] -> [size, ...]."""
    padded = np.zeros((size, *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    return padded


def _scale_encoder(encoder: Mapping[str, np.ndarray], exponent: int) -> dict[str, np.ndarray]:
    """Makes an encoder that takes rows times 2**exponent."""
    scaled = {name: np.ldexp(encoder[name], exponent) for name in ("mean", "scale")}
    return {**encoder, **scaled}


def _check_start(start: np.ndarray, shape: tuple[int, int], num_codewords: int) -> np.ndarray:
    is_there = start.shape == shape and np.issubdtype(start.dtype, np.integer)
    if not is_there or (start.size and not 0 <= start.min() <= start.max() < num_codewords):
        raise InputError(
            f"codes to start from are {start.dtype} {list(start.shape)}; expected integers "
            f"{list(shape)}, each from 0 to {num_codewords - 1}."
        )
    return start


class _Known(NamedTuple):
    """A decoded table in parts of C rows; what fills up the last part is infinitely far away.

    Attributes:
        codes: int [N, M].
        rows: [parts, C, D].
        squares: [parts, C], squared norms of the rows.
    """

    codes: jax.Array
    rows: jax.Array
    squares: jax.Array


@jax.jit
@exact_products
def _decode(known: jax.Array, codebooks: jax.Array) -> _Known:
    rows = sum_codewords(codebooks, known)
    missing = -len(rows) % _CHUNK
    squares = jnp.pad(jnp.square(rows).sum(-1), (0, missing), constant_values=jnp.inf)
    rows = jnp.pad(rows, ((0, missing), (0, 0))).reshape(-1, _CHUNK, rows.shape[1])
    return _Known(known, rows, squares.reshape(-1, _CHUNK))


def _nearest_codes(rows: jax.Array, table: _Known) -> jax.Array:
    """Finds for each row [B, D] the nearest row of the table, and gives its codes: int32 [B, M]."""

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


@functools.partial(jax.jit, static_argnames=("num_rounds", "groups"))
@exact_products
def _encode_batch(
    key: jax.Array,
    rows: jax.Array,
    codebooks: jax.Array,
    encoder: Mapping[str, jax.Array] | None,
    table: _Known | None,
    start: jax.Array | None,
    num_rounds: int,
    groups: Groups | None,
) -> jax.Array:
    """Searches from the best start of each row: rows [B, D] -> int32 [B, M]."""
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
        return search_codes(round_key, rows, codes, codebooks, num_steps, groups)

    return jax.lax.fori_loop(0, num_rounds, search, codes)


def apply_encoder(
    encoder: Mapping[str, jax.Array], rows: jax.Array, num_codebooks: int
) -> jax.Array:
    """Codes rows by an exported encoder: rows [B, D] -> int32 [B, M].

    A code is the codeword of largest score. The softplus that makes alpha of the scores (Shu &
    Nakayama 2018, eq. 7) is left out, since it keeps their order.
    """
    rows = (rows - encoder["mean"]) / encoder["scale"]
    hidden = jnp.tanh(rows @ encoder["hidden.kernel"] + encoder["hidden.bias"])
    scores = hidden @ encoder["scores.kernel"] + encoder["scores.bias"]
    return jnp.argmax(scores.reshape(len(rows), num_codebooks, -1), axis=-1)
