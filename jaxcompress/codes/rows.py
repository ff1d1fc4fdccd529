"""All rows of a table, made ready to be measured, encoded or refined a batch at a time.

Rows lie on the devices, all of them on each or a part on each, or stream through them, so that a
table of any size can be worked on.

Axis letters: N rows, S shards, B rows of a batch, M codebooks, D dimensions.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jaxcompress.codes.scale import scale_exponent
from jaxcompress.data.batches import Feed, gather_scaled, in_order
from jaxcompress.data.row_shards import RowShards, every_row, side_by_side
from jaxcompress.engine.mapper import Mapper, make_mapper
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.placement import stored_bytes
from jaxcompress.engine.task import PyTree

# Rows at a time: on CPU what a search keeps between its steps should stay in the cache.
_CPU_BATCH, _BATCH = 1024, 16_384
_PARTS = 32  # of a batch of a split table
_SHARDS = 8  # of a split table, for which there are so many rows at a time


class PreparedTable(NamedTuple):
    """The rows of a table, and how functions are mapped over all of them.

    Attributes:
        rows: float16 or float32 [N, D].
        weights: float32 [N], how much each row counts; None: all rows count alike.
        held_out: int, ascending: the rows that codebooks may not be fitted to.
        exponent: batches have the rows times 2**-exponent; codebooks are to be in these units.
        shards: how rows and codes are split over the devices.
        stream: whether rows are sent from the host with each batch.
        mapper: how functions of batches are run.
        data: what it gathers their rows from: the table, [N, D] or [S, L, D]; () if they are sent.
    """

    rows: np.ndarray
    weights: np.ndarray | None
    held_out: np.ndarray
    exponent: int
    shards: RowShards
    stream: bool
    mapper: Mapper
    data: PyTree

    @property
    def place(self) -> Callable[..., PyTree]:
        """Any pytree -> the same arrays on every device."""
        return self.mapper.place

    @property
    def split(self) -> NamedSharding:
        """How the leading axis of a batch is laid out."""
        return self.mapper.split

    @property
    def everywhere(self) -> NamedSharding:
        """How arrays lie that are the same on every device."""
        return NamedSharding(self.split.mesh, PartitionSpec())

    @property
    def num_parts(self) -> int:
        """P: into how many parts a batch is cut, of which each has sums of its own.

        Devices need not add theirs up then. Of a split table there are as many parts on any number
        of devices, if each has two or more (a single one would be another program, whose last
        digits differ): sums that are added up in one order are the same to the last bit.
        """
        parts, num_devices = math.gcd(self.shards.count, _PARTS), self.split.num_devices
        return num_devices if parts % (2 * num_devices) else parts

    def batches(self, ids: np.ndarray) -> Feed:
        """Feeds the rows `ids`, ascending, once, in batches of a good size for all devices."""
        count = self.shards.count
        own = [self.shards.own(ids, shard) for shard in range(count)]
        most = max(map(len, own))
        size = self._batch_size(most)

        def make(shard: int) -> Feed:
            rows = self.shards.rows(shard)
            weights = None if self.weights is None else self.weights[rows]
            return in_order(
                self.rows[rows],
                own[shard],
                size // count,
                stream=self.stream,
                weights=weights,
                exponent=self.exponent,
            )

        return side_by_side(make, count, size, -(-most * count // size))

    def everything(self) -> Feed:
        """Feeds all rows once, where they lie; batches have `fit` bool [B] besides.

        It tells which rows codebooks may be fitted to, and is false for padding.
        """
        count, length = self.shards.count, self.shards.length
        size = self._batch_size(length)

        def make(shard: int) -> Feed:
            rows = self.shards.rows(shard)
            return every_row(
                self.rows[rows],
                rows.stop - rows.start,
                length,
                self.shards.own(self.held_out, shard),
                size // count,
                stream=self.stream,
                weights=None if self.weights is None else self.weights[rows],
                gather=gather_scaled(self.exponent),
            )

        return side_by_side(make, count, size, -(-length * count // size))

    def _batch_size(self, most: int) -> int:
        """Divides shards of so many rows at most in batches of nearly equal size, B."""
        num_devices, count = self.split.num_devices, self.shards.count
        at_a_time = _CPU_BATCH if jax.default_backend() == "cpu" else _BATCH
        at_a_time *= -(-count // _SHARDS)
        num_batches = -(-most * count // at_a_time)
        unit = num_devices // math.gcd(num_devices, count)  # rows of a shard that devices share
        return -(-most // num_batches // unit) * unit * count

    def weight_to_fit(self) -> float:
        """Sums the weights of the rows that codebooks may be fitted to."""
        if self.weights is None:
            return float(len(self.rows) - len(self.held_out))
        held_out = self.weights[self.held_out].sum(dtype=np.float64)
        return float(self.weights.sum(dtype=np.float64) - held_out)

    def parts(self, feed: Feed) -> Iterator[dict]:
        """Makes this process's part of each index of a feed."""
        part = self.mapper.part(feed.batch_size)
        return (feed.index(i, part) for i in range(feed.num_batches))


def is_too_large(rows: np.ndarray) -> bool:
    """Tells whether a table should stay on the host.

    It should if it takes over half of the memory of a device; and always on CPU, where a table that
    is placed is a second copy.
    """
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return True
    limit = (device.memory_stats() or {}).get("bytes_limit", float("inf"))
    return stored_bytes(rows.shape, rows.dtype, device.platform) > limit / 2


@own_settings
def make_table(rows: np.ndarray, weights: np.ndarray | None = None) -> PreparedTable:
    """Prepares rows [N, D] and their weights [N] without a method that trains on them."""
    exponent = scale_exponent(rows)
    stream, mapper = is_too_large(rows), make_mapper(gather_scaled(exponent))
    return PreparedTable(
        rows=rows,
        weights=weights,
        held_out=np.zeros(0, np.int32),
        exponent=exponent,
        shards=RowShards(len(rows)),
        stream=stream,
        mapper=mapper,
        data=() if stream else mapper.place_data(rows),
    )
