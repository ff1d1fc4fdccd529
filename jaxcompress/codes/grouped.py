"""Search and least squares for codebooks in groups (`groups.py`): each slice of dimensions alone.

To the codebooks that span all dimensions, the others are a part of the row that is given, and the
other way round; so a search improves the codes of either in turn, and those of each group in
dimensions of its own. The time that this takes grows with the number of codes, and not with its
square. The codebooks of least squares do depend on each other, but a slice of the dimensions does
not depend on another: it is a table of its own, whose codes are the shared ones and the group's.

Axis letters: B rows of a batch, M codebooks, K codewords, D dimensions, G groups.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxcompress.codes.decode import sum_codewords, sum_grouped
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.search import improve_codes


def search_codes(
    key: jax.Array,
    rows: jax.Array,
    codes: jax.Array,
    codebooks: jax.Array,
    num_steps: int,
    groups: Groups | None,
) -> jax.Array:
    """Improves codes for codebooks of any layout; see `improve_codes`.

    Args:
        key: randomness.
        rows: [B, D].
        codes: int [B, M].
        codebooks: [M, K, D].
        num_steps: steps over all codes, of which each group has its share.
        groups: the layout of the codebooks; None: all span all dimensions.
    """
    if groups is None:
        return improve_codes(key, rows, codes, codebooks, num_steps)

    def search(key, rows, codes, part):
        share = math.ceil(num_steps * len(part) / len(codebooks))
        return improve_codes(key, rows, codes, part, share)

    return in_turn(search, key, rows, codes, codebooks, groups)


def slices_of(rows: jax.Array, count: int) -> jax.Array:
    """Cuts rows in slices of the dimensions: [B, D] -> [G, B, D/G]."""
    return rows.reshape(len(rows), count, -1).swapaxes(0, 1)


def in_turn(
    search: Callable, key: jax.Array, rows: jax.Array, codes: jax.Array, codebooks: jax.Array,
    groups: Groups,
) -> jax.Array:  # fmt: skip
    """Searches for the codes of each group, then for shared ones.

    Groups that were added begin at random: shared codes that made up for them would be lost.

    Args:
        search: key, rows [B, D'], codes [B, M'], codebooks [M', K, D'] -> codes [B, M'].
        key: randomness.
        rows: [B, D].
        codes: int [B, M], to begin with.
        codebooks: [M, K, D].
        groups: the layout of the codebooks.

    Returns:
        Codes of the same type, [B, M].
    """
    shared, grouped = groups.split(codebooks)
    own, others = groups.split_codes(codes)
    key, shared_key = jax.random.split(key)
    if grouped.shape[1]:
        keys = jax.random.split(key, groups.num_groups)
        left = rows - sum_codewords(shared, own) if groups.num_shared else rows
        parts = keys, slices_of(left, groups.num_groups), others.swapaxes(0, 1), grouped
        others = jax.lax.map(lambda part: search(*part), parts).swapaxes(0, 1)
    if groups.num_shared:
        own = search(shared_key, rows - sum_grouped(grouped, others), own, shared)
    return jnp.concatenate([own, others.reshape(len(codes), -1)], axis=1).astype(codes.dtype)


def as_slices(codebooks: jax.Array, groups: Groups) -> jax.Array:
    """Gives each slice the codebooks that it depends on: [M, K, D] -> [G, M', K, D/G]."""
    shared, grouped = groups.split(codebooks)
    own = shared.reshape(*shared.shape[:2], groups.num_groups, grouped.shape[-1])
    return jnp.concatenate([own.transpose(2, 0, 1, 3), grouped], axis=1)


def from_slices(slices: jax.Array, groups: Groups) -> jax.Array:
    """Undoes `as_slices`."""
    own, grouped = slices[:, : groups.num_shared], slices[:, groups.num_shared :]
    own = own.transpose(1, 2, 0, 3)
    width = groups.num_groups * slices.shape[-1]
    return groups.join(own.reshape(*own.shape[:2], width), grouped)


def codes_of_slices(codes: jax.Array, groups: Groups) -> jax.Array:
    """Gives each slice the codes of `as_slices`: int [B, M] -> [G, B, M']."""
    own, others = groups.split_codes(codes)
    own = jnp.broadcast_to(own, (groups.num_groups, *own.shape))
    return jnp.concatenate([own, others.swapaxes(0, 1)], axis=2)
