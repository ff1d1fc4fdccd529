"""Rows of a table in shards: runs of nearly equal length, each with batches of its own.

Devices divide the shards among them, so that batches do not depend on the number of devices. A
table that is not split is one shard.

Axis letters: N rows, S shards, L places of a shard, B rows of a batch.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxcompress.data.batches import WHOLE, Feed, make_index

_TILE = 8  # rows


class RowShards(NamedTuple):
    """How N rows lie in S shards.

    >>> shards = RowShards(num_rows=10, count=4)
    >>> [shards.rows(s) for s in range(2)], shards.length
    ([slice(0, 2, None), slice(2, 5, None)], 8)

    Attributes:
        num_rows: N.
        count: S; 1: the table is not split.
    """

    num_rows: int
    count: int = 1

    def rows(self, shard: int) -> slice:
        """The rows of a shard."""
        first, end = (i * self.num_rows // self.count for i in (shard, shard + 1))
        return slice(first, end)

    @property
    def length(self) -> int:
        """L: rows of the longest shard, filled up to a multiple of 8 if there are several.

        A TPU stores rows in tiles of 8, and would copy shards that end within one.
        """
        if self.count == 1:
            return self.num_rows
        return -(-self.num_rows // (self.count * _TILE)) * _TILE

    def own(self, ids: np.ndarray, shard: int) -> np.ndarray:
        """Gives those of the rows `ids`, ascending, that are in a shard, by their place in it."""
        rows = self.rows(shard)
        first, end = np.searchsorted(ids, (rows.start, rows.stop))
        return ids[first:end] - rows.start

    def seed(self, seed: int, shard: int) -> tuple[int, ...]:
        """What the randomness of a shard is seeded by; the seed alone if there is one shard."""
        return (seed,) if self.count == 1 else (seed, shard)


def side_by_side(
    make: Callable[[int], Feed], count: int, batch_size: int, num_batches: int | None = None
) -> Feed:
    """Joins the feeds of S shards: a batch is a part of B / S rows from each.

    >>> from jaxcompress.data.batches import in_order
    >>> make = lambda shard: in_order(None, np.array([shard]), batch_size=2, stream=False)
    >>> side_by_side(make, count=3, batch_size=6, num_batches=1).index(0, slice(2, 6))["ids"]
    array([1, 0, 2, 0], dtype=int32)

    Args:
        make: shard -> its feed, of batches of B / S rows; called for the shards of this process.
        count: S.
        batch_size: B.
        num_batches: of the result; None: no end.
    """
    size = batch_size // count
    feed_of = functools.cache(make)

    def index(step: int, part: slice = WHOLE) -> dict:
        first, end, _ = part.indices(batch_size)
        parts = []
        for shard in range(first // size, -(-end // size)):
            bounds = (max(first - shard * size, 0), min(end - shard * size, size))
            parts.append(feed_of(shard).index(step, slice(*bounds)))
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return Feed(index, feed_of(0).gather, batch_size, num_batches)


def every_row(
    table: np.ndarray | None,
    num_rows: int,
    room: int,
    held_out: np.ndarray,
    batch_size: int,
    *,
    stream: bool,
    weights: np.ndarray | None,
    gather: Callable,
) -> Feed:
    """Feeds the rows of a shard once, where they lie: batch i begins at place i * B.

    The last batch begins earlier, so that it ends with the shard; what has been is masked in it.

    Args:
        table: the shard's rows [n, D]; read only if `stream`.
        num_rows: n.
        room: L, places of the shard, of which those beyond n are masked.
        held_out: places of rows that are held out, ascending.
        batch_size: B.
        stream: whether indices have `rows` instead of `ids`.
        weights: float32 [n]; None: indices have no `weights`.
        gather: the feed's `gather`.

    Returns:
        A feed whose indices have `fit` bool [B] besides: the mask without rows that are held out.
    """

    def index(i: int, part: slice = WHOLE) -> dict:
        first, end, _ = part.indices(batch_size)
        start = min(i * batch_size, max(room - batch_size, 0))
        places = np.arange(start + first, start + end)
        mask = (places >= i * batch_size) & (places < num_rows)
        places = np.minimum(places, num_rows - 1).astype(np.int32)
        fit = mask & ~np.isin(places, held_out)
        return {**make_index(table, places, stream, weights), "mask": mask, "fit": fit}

    return Feed(index, gather, batch_size, -(-room // batch_size))
