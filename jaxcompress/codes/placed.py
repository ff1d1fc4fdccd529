"""Codes on the devices, beside the rows that they stand for, and what goes over all of them.

Of a table that is split by rows no device and no process holds all codes.

Axis letters: N rows, S shards, L places of a shard, B rows of a batch, M codebooks,
K codewords, D dimensions.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.rows import PreparedTable
from jaxcompress.engine.loop import fetch_one_behind
from jaxcompress.engine.placement import place_shards
from jaxcompress.engine.task import PyTree


class PlacedCodes(NamedTuple):
    """Codes where the rows of a table are; what goes over all rows takes these or `Codes`.

    Attributes:
        codes: uint8 or uint16 [N, M] on every device, or [S, L, M] if the table is split.
        codebooks: float32 [M, K, D], in the units of the table.
        groups: as in `Codes`.
        codebook_type: as in `Codes`.
    """

    codes: jax.Array
    codebooks: np.ndarray
    groups: Groups | None = None
    codebook_type: str = "float32"


_Given = TypeVar("_Given", Codes, PlacedCodes)


def place_codes(table: PreparedTable, codes: Codes | PlacedCodes) -> PlacedCodes:
    """Places codes beside the rows of their table, unless they are there."""
    if isinstance(codes, PlacedCodes):
        return codes
    if table.shards.count > 1:
        placed = place_shards(codes.codes, table.shards, table.split)
    else:
        placed = copy(table.place(codes.codes))  # on CPU it may be the given array itself
    return PlacedCodes(placed, codes.codebooks, codes.groups, codes.codebook_type)


def as_given(table: PreparedTable, given: _Given, placed: PlacedCodes) -> _Given:
    """Gives placed codes back in the form in which they were given."""
    if isinstance(given, PlacedCodes):
        return placed
    return dataclasses.replace(
        given,
        codes=fetch_codes(table, placed),
        codebooks=placed.codebooks,
        codebook_type=placed.codebook_type,
    )


def fetch_codes(table: PreparedTable, placed: PlacedCodes) -> np.ndarray:
    """Fetches all codes: [N, M]; of a table that is split over several processes it cannot."""
    if table.shards.count == 1:
        return np.array(placed.codes.addressable_data(0))
    return np.concatenate([codes for _, codes in own_codes(table, placed)])


def own_codes(table: PreparedTable, placed: PlacedCodes) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the shards of a split table that this process holds, in order, with their codes."""
    parts = {part.index[0].indices(table.shards.count)[0]: part.data
             for part in placed.codes.addressable_shards}  # fmt: skip
    for first, codes in sorted(parts.items()):
        for shard, own in enumerate(np.asarray(codes), first):
            rows = table.shards.rows(shard)
            yield shard, own[: rows.stop - rows.start]


def zero_codes(table: PreparedTable, num_codebooks: int, kind: Any) -> jax.Array:
    """Makes codes that are all 0."""
    shards = table.shards
    if shards.count == 1:
        return _zeros((shards.num_rows, num_codebooks), kind, table.everywhere)
    return _zeros((shards.count, shards.length, num_codebooks), kind, table.split)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _zeros(shape: tuple[int, ...], kind: Any, sharding: jax.sharding.NamedSharding) -> jax.Array:
    return jax.lax.with_sharding_constraint(jnp.zeros(shape, kind), sharding)


@jax.jit
def copy(codes: jax.Array) -> jax.Array:
    """Copies placed codes, for `recode` uses up what it is given."""
    return jnp.copy(codes)


def recode(
    table: PreparedTable, function: Callable, codes: jax.Array, carry: PyTree, state: PyTree
) -> tuple[jax.Array, PyTree]:
    """Gives all rows new codes, a batch at a time, where they lie.

    Args:
        table: the rows.
        function: `state, carry, batch -> carry, codes [B, M]`, one function for the same
            computation, so that it is compiled once. The batch has `codes` [B, M], as they are, and
            its `number`, int32 [].
        codes: of a `PlacedCodes`; they are used up, and so is the carry.
        carry: what goes from batch to batch, on the devices.
        state: what does not change, as `table.place` gives it.

    Returns:
        The new codes and the last carry.
    """
    feed = table.everything()
    run = _recode_batch(function, feed.batch_size // table.shards.count)

    def batches() -> Iterator[jax.Array]:
        nonlocal codes, carry
        for i, index in enumerate(table.parts(feed)):
            held, number = (codes, carry), np.int32(i)
            (codes, carry), done = table.mapper.update(
                run, held, (state, number), table.data, index
            )
            yield done

    for _ in fetch_one_behind(batches()):  # so that the host does not run ahead with its rows
        pass
    return codes, carry


def map_codes(
    table: PreparedTable, function: Callable, state: PyTree, codes: jax.Array
) -> Iterator[Any]:
    """Yields `function(state, batch)` of all batches of `recode`, on the host."""
    feed = table.everything()
    run = _map_batch(function, feed.batch_size // table.shards.count)
    indices = enumerate(table.parts(feed))
    run_batch = functools.partial(table.mapper.map, run)
    return fetch_one_behind(
        run_batch((state, codes, np.int32(i)), table.data, index) for i, index in indices
    )


@functools.lru_cache(maxsize=32)
def _recode_batch(function: Callable, size: int) -> Callable:
    def run(held, state, batch):
        (codes, carry), (state, number) = held, state
        place = _Place.of(codes, number, size)
        before = place.take(codes)
        carry, found = function(state, carry, {**batch, "codes": before, "number": number})
        found = jnp.where(batch["mask"][:, None], found, before)
        return (place.put(codes, found), carry), number

    return run


@functools.lru_cache(maxsize=32)
def _map_batch(function: Callable, size: int) -> Callable:
    def run(state, batch):
        state, codes, number = state
        place = _Place.of(codes, number, size)
        return function(state, {**batch, "codes": place.take(codes), "number": number})

    return run


class _Place(NamedTuple):
    """Where the codes of a batch lie: as many of each shard, at one place, as in `every_row`."""

    first: jax.Array
    size: int

    @classmethod
    def of(cls, codes: jax.Array, number: jax.Array, size: int) -> "_Place":
        return cls(jnp.minimum(number * size, max(codes.shape[-2] - size, 0)), size)

    def take(self, codes: jax.Array) -> jax.Array:
        """Takes codes [N, M] or [S, L, M] of the batch: [B, M]."""
        missing = max(self.size - codes.shape[-2], 0)  # of a shard that does not fill a batch
        codes = jnp.pad(codes, [*[(0, 0)] * (codes.ndim - 2), (0, missing), (0, 0)])
        axis = codes.ndim - 2
        taken = jax.lax.dynamic_slice_in_dim(codes, self.first, self.size, axis)
        return taken.reshape(-1, codes.shape[-1])

    def put(self, codes: jax.Array, new: jax.Array) -> jax.Array:
        """Puts codes [B, M] of the batch in their place."""
        axis, length = codes.ndim - 2, codes.shape[-2]
        new = new.reshape(*codes.shape[:-2], self.size, codes.shape[-1])
        new = jax.lax.slice_in_dim(new, 0, min(self.size, length), axis=axis)
        return jax.lax.dynamic_update_slice_in_dim(codes, new, self.first, axis)
