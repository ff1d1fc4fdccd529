"""Codes for rows never seen: a start, by the encoder or by beam search, and then local search.

Axis letters: B rows of a batch, M codebooks, K codewords, D dimensions.
"""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes_files import code_type
from jaxcompress.data.vectors import check_finite
from jaxcompress.errors import InputError
from jaxcompress.local_search import (
    beam_search,
    default_num_steps,
    improve_codes,
    squared_errors,
)

_BATCH = 1024  # rows at a time: what lies between the steps of a search stays in the cache


def check_rows(vectors: np.ndarray, dim: int) -> np.ndarray:
    """Rows of a table as float16 or float32 [N, D].

    Raises:
        InputError: where they are no finite matrix of `dim` columns.
    """
    rows = np.asarray(vectors)
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise InputError(
            f"vectors have shape {list(rows.shape)}; the codebooks make rows of {dim} dimensions: "
            f"expected [rows, {dim}]."
        )
    if rows.dtype not in (np.float16, np.float32):
        rows = rows.astype(np.float32)
    check_finite(rows, "vectors")
    return rows


def encode(
    vectors: np.ndarray,
    codebooks: np.ndarray,
    encoder: Mapping[str, np.ndarray] | None = None,
    *,
    start: np.ndarray | None = None,
    num_rounds: int = 16,
    seed: int = 0,
) -> np.ndarray:
    """Does what `Codes.encode` says, for codebooks [M, K, D].

    `encoder` are weights as `dccl.export_encoder` names them. Refinement moves codebooks away from
    what they were trained for, so its codes are no better a start than a beam search's everywhere.
    """
    num_codebooks, num_codewords, dim = codebooks.shape
    rows = check_rows(vectors, dim)
    if start is not None and (
        start.shape != (len(rows), num_codebooks)
        or (start.size and not 0 <= start.min() <= start.max() < num_codewords)
    ):
        raise InputError(
            f"codes to start from have shape {list(start.shape)}; expected "
            f"[{len(rows)}, {num_codebooks}], each from 0 to {num_codewords - 1}."
        )
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
            jax.random.fold_in(key, number), batch, codebooks, weights, begin, num_rounds
        )
        codes[part] = np.asarray(found)[:count]
    return codes


@functools.partial(jax.jit, static_argnames="num_rounds")
def _encode_batch(key, rows, codebooks, encoder, start, num_rounds):
    codes = beam_search(rows, codebooks) if start is None else start.astype(jnp.int32)
    if encoder is not None:
        by_encoder = apply_encoder(encoder, rows, codebooks.shape[0])
        is_better = squared_errors(rows, by_encoder, codebooks) < squared_errors(
            rows, codes, codebooks
        )
        codes = jnp.where(is_better[:, None], by_encoder, codes)

    def search(i, codes):
        round_key = jax.random.fold_in(key, i)
        num_steps = default_num_steps(codebooks.shape[0])
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
