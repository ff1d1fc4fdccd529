"""Sums of codewords with jax: the decoder of every table of codes.

Axis letters: B rows asked for, N rows of the table, M codebooks, K codewords, D dimensions.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.groups import Groups
from jaxcompress.codes.meshes import in_auto_mesh, join_specs, spec_of, vary_together, zeros_as
from jaxcompress.codes.precision import exact_products
from jaxcompress.engine.placement import TPU_LANES

_MOST_ONE_HOT = 128  # K up to which a TPU multiplies one-hot codes faster than it gathers codewords


def sum_codewords(
    codebooks: jax.Array, codes: jax.Array, groups: Groups | None = None
) -> jax.Array:
    """Sums one codeword of each codebook: `sum_m codebooks[m, codes[:, m]]`.

    This is eq. 2 of Shu & Nakayama 2018. One gather of [B, M, D] by XLA is an order of magnitude
    slower on CPU than a sum of M gathers of [B, D]. For many rows it pays to add the codebooks up
    in pairs first.

    Args:
        codebooks: [M, K, D].
        codes: int [B, M], each in [0, K); not checked.
        groups: the layout of the codebooks; None: all span all dimensions.

    Returns:
        [B, D], in the type of the codebooks; sums and gradients are made in float32 at least.
    """
    if groups is not None:
        shared, grouped = groups.split(codebooks)
        own, others = groups.split_codes(codes)
        rows = sum_grouped(grouped, others)
        return rows + sum_codewords(shared, own) if groups.num_shared else rows
    kind, codebooks = codebooks.dtype, codebooks.astype(sum_type(codebooks))
    return _sum(codebooks, codes.astype(jnp.int32), _sum_pairs).astype(kind)


def sum_grouped(codebooks: jax.Array, codes: jax.Array) -> jax.Array:
    """Sums the codewords of each slice of the dimensions.

    The j-th codebooks of all groups are one table, so that a gather takes a row of all slices.

    Args:
        codebooks: [G, each, K, D/G], of `Groups.split`.
        codes: int [B, G, each], of `Groups.split_codes`.

    Returns:
        [B, D], as `sum_codewords` does.
    """
    count, each, num_codewords, width = codebooks.shape
    kind, codebooks = codebooks.dtype, codebooks.astype(sum_type(codebooks))
    tables = codebooks.swapaxes(0, 1).reshape(each, count * num_codewords, width)
    first = num_codewords * jnp.arange(count)[:, None]
    if not each:
        return jnp.zeros((len(codes), count * width), kind)
    rows = _sum(tables, codes.astype(jnp.int32) + first)
    return rows.reshape(len(codes), count * width).astype(kind)


def sum_type(*arrays: Any) -> np.dtype:
    """Gives the type to sum in: float32, or a wider one if an array has it.

    A sum of ones in bfloat16 stops at 256, which is how often a codeword is used by few tokens.
    NumPy promotes the types, since jax may have been told not to.
    """
    return functools.reduce(np.promote_types, (x.dtype for x in arrays), np.dtype(np.float32))


def can_pair(codebooks: Any) -> bool:
    """Tells whether there are pairs of codebooks, and a pair of codes still fits a byte."""
    return codebooks.shape[0] > 1 and codebooks.shape[1] ** 2 <= 256


def pair_up(codes: Any, codebooks: Any) -> tuple[Any, Any]:
    """Adds neighbouring codebooks up: half as many codebooks of K*K codewords, the same rows.

    Args:
        codes: int [N, M], of a type that holds K*K - 1; NumPy or jax, as `codebooks` are.
        codebooks: [M, K, D].

    Returns:
        codes [N, ceil(M/2)] and codebooks [ceil(M/2), K*K, D].
    """
    num_codebooks, num_codewords, dim = codebooks.shape
    xp = np if isinstance(codes, np.ndarray) else jnp
    odd = num_codebooks % 2
    codes = xp.pad(codes, ((0, 0), (0, odd)))
    codebooks = xp.pad(codebooks, ((0, odd), (0, 0), (0, 0)))
    pairs = codebooks[0::2, :, None] + codebooks[1::2, None, :]
    return codes[:, 0::2] * num_codewords + codes[:, 1::2], pairs.reshape(len(pairs), -1, dim)


def _sum(codebooks: jax.Array, codes: jax.Array, gather: Callable | None = None) -> jax.Array:
    """Sums codewords as the device does it fast: codebooks [M, K, D], codes int32 [..., M].

    `gather` is how it is done by gathers; None: `_sum_gathers`.

    Nothing is kept for the gradient but the arguments: else the form that is not taken would have
    its share of it in memory.
    """
    gather = gather or _sum_gathers
    if codebooks.shape[1] > _MOST_ONE_HOT:
        return gather(codebooks, codes)
    choose = functools.partial(jax.lax.platform_dependent, tpu=_sum_products, default=gather)
    return jax.checkpoint(choose, prevent_cse=False)(codebooks, codes)


def _sum_pairs(codebooks: jax.Array, codes: jax.Array) -> jax.Array:
    """Adds gathers, of pairs of codebooks if there are many codes [B, M]."""
    if can_pair(codebooks) and codes.shape[0] > 2 * codebooks.shape[1] ** 2:
        codes, codebooks = pair_up(codes, codebooks)
    return _sum_gathers(codebooks, codes)


@exact_products
def _sum_products(codebooks: jax.Array, codes: jax.Array) -> jax.Array:
    """Multiplies one-hot codes with the codewords: a TPU gathers rows one by one."""
    one_hot = one_hot_codes(codes, codebooks.shape[1], codebooks.dtype)
    return one_hot @ codebooks.reshape(-1, codebooks.shape[-1])


def _sum_gathers(codebooks: jax.Array, codes: jax.Array) -> jax.Array:
    """Adds one gather at a time, in a loop: codebooks [M, K, D], codes int32 [..., M] -> [..., D].

    XLA fuses a plain sum of gathers into whatever reads it, and computes it there element by
    element, which takes 20 times as long on CPU. The loop has two turns or more, since XLA takes a
    loop of one turn apart.
    """

    def add(m, total):
        return total + take_rows(codebooks[m], codes[..., m])

    codes, codebooks = vary_together(codes, codebooks)
    start = zeros_as(codebooks, (*codes.shape[:-1], codebooks.shape[2]))
    unroll = max(1, min(8, codebooks.shape[0] // 2))
    return jax.lax.fori_loop(0, codebooks.shape[0], add, start, unroll=unroll)


def one_hot_codes(codes: jax.Array, num_codewords: int, dtype: Any) -> jax.Array:
    """Writes each code as K numbers, one of which is 1: int [..., M] -> [..., M*K]."""
    one_hot = jax.nn.one_hot(codes.astype(jnp.int32), num_codewords, dtype=dtype)
    return one_hot.reshape(*codes.shape[:-1], codes.shape[-1] * num_codewords)


def fill_codes(codes: np.ndarray, platform: str) -> np.ndarray:
    """Fills codes [N, M] up to 128 columns for a TPU, which would store them by columns else.

    It takes as much memory to store [N, M] by rows there, and every lookup would do so first.
    """
    missing = -codes.shape[1] % TPU_LANES if platform == "tpu" else 0
    return np.pad(codes, ((0, 0), (0, missing))) if missing else codes


def take_rows(table: jax.Array, ids: jax.Array) -> jax.Array:
    """Takes rows that are known to be there: [N, ...], int [B], not checked -> [B, ...]."""
    return table.at[ids].get(mode="promise_in_bounds")


@functools.partial(jax.jit, static_argnames="groups")
def lookup(
    codes: jax.Array, codebooks: jax.Array, ids: jax.Array, groups: Groups | None = None
) -> jax.Array:
    """Reconstructs rows by their numbers.

    >>> codebooks = jnp.array([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 10.0], [0.0, 20.0]]])
    >>> lookup(jnp.array([[0, 1], [1, 1]]), codebooks, jnp.array([1]))
    Array([[ 2., 20.]], dtype=float32)

    Args:
        codes: int [N, M], or with more columns, which are not read (`fill_codes`).
        codebooks: [M, K, D].
        ids: int, any shape, each in [0, N); under jit they cannot be checked, and an id out of
            range takes the nearest row there is.
        groups: the layout of the codebooks; None: all span all dimensions.

    Returns:
        [*ids.shape, D], in the type of the codebooks; sums and gradients are made in float32 at
        least.
    """
    kind, codebooks = codebooks.dtype, codebooks.astype(sum_type(codebooks))
    codes, codebooks, ids = vary_together(codes, codebooks, ids)
    spec = join_specs(*spec_of(ids), spec_of(codebooks)[-1])
    sum_rows = functools.partial(_sum_rows, groups=groups)
    return in_auto_mesh(sum_rows, spec)(codes, codebooks, ids).astype(kind)


def _sum_rows(
    codes: jax.Array, codebooks: jax.Array, ids: jax.Array, groups: Groups | None
) -> jax.Array:
    taken = codes.at[ids].get(mode="clip")[..., : len(codebooks)].astype(jnp.int32)
    if groups is None:
        return _sum(codebooks, taken)
    rows = sum_codewords(codebooks, taken.reshape(-1, taken.shape[-1]), groups)
    return rows.reshape(*ids.shape, codebooks.shape[-1])
