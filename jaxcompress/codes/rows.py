"""All rows of a table, made ready to be measured, encoded or refined a batch at a time.

Rows stream through the devices, so that a table of any size can be worked on.

Axis letters: N rows, B rows of a batch, M codebooks, D dimensions.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.codes.scale import scale_exponent
from jaxcompress.data.batches import Feed, gather_scaled, in_order
from jaxcompress.engine.mapper import make_mapper
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.placement import stored_bytes
from jaxcompress.engine.task import PyTree

# Rows at a time: on CPU what a search keeps between its steps should stay in the cache.
_CPU_BATCH, _BATCH = 1024, 16_384


class PreparedTable(NamedTuple):
    """The rows of a table, and how functions are mapped over all of them.

    Attributes:
        rows: float16 or float32 [N, D].
        weights: float32 [N], how much each row counts; None: all rows count alike.
        is_training: bool [N], which rows codebooks may be fitted to.
        exponent: batches have the rows times 2**-exponent; codebooks are to be in these units.
        stream: whether rows are sent from the host with each batch.
        place: any pytree -> the same arrays on every device.
        map: `function, state, index -> function(state, batch)`, replicated.
        part: `B -> slice`, the part of a batch that this process makes.
    """

    rows: np.ndarray
    weights: np.ndarray | None
    is_training: np.ndarray
    exponent: int
    stream: bool
    place: Callable[[PyTree], PyTree]
    map: Callable[..., PyTree]
    part: Callable[[int], slice]

    def batches(self, ids: np.ndarray) -> Feed:
        """Feeds the rows `ids` once, in order, in batches of a good size for all devices."""
        num_devices = jax.device_count()
        most = _CPU_BATCH if jax.default_backend() == "cpu" else _BATCH
        num_batches = -(-len(ids) // most)  # of nearly equal sizes, so that little is padding
        size = -(-len(ids) // num_batches // num_devices) * num_devices
        return in_order(
            self.rows,
            ids,
            size,
            stream=self.stream,
            weights=self.weights,
            exponent=self.exponent,
        )

    def weight_to_fit(self) -> float:
        """Sums the weights of the rows that codebooks may be fitted to."""
        weights = np.ones(len(self.rows)) if self.weights is None else self.weights
        return float(weights[self.is_training].sum(dtype=np.float64))

    def everything(self) -> Feed:
        """Feeds all rows once, in order."""
        return self.batches(np.arange(len(self.rows), dtype=np.int32))


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
    data = () if stream else mapper.place_data(rows)
    return PreparedTable(
        rows=rows,
        weights=weights,
        is_training=np.ones(len(rows), bool),
        exponent=exponent,
        stream=stream,
        place=mapper.place,
        map=lambda function, state, index: mapper.map(function, state, data, index),
        part=mapper.part,
    )


def with_codes(table: PreparedTable, codes: np.ndarray) -> Feed:
    """Feeds all rows in order; batches have `codes` [B, M] and `fit` bool [B] besides.

    `fit` tells which rows codebooks may be fitted to; it is false for padding. Indices are this
    process's parts.
    """
    feed = table.everything()
    size = feed.batch_size

    def index(i: int) -> dict:
        first, end, _ = table.part(size).indices(size)
        rows, count = slice(i * size + first, i * size + end), end - first
        fit = pad_rows(table.is_training[rows], count)
        own = feed.index(i, slice(first, end))
        return {**own, "codes": pad_rows(codes[rows], count), "fit": fit}

    return feed._replace(index=index)


def pad_rows(rows: np.ndarray, size: int) -> np.ndarray:
    """Fills rows up to a number of them, with zeros: [at most size, ...] -> [size, ...].

    >>> pad_rows(np.array([[1, 2]]), size=2)
    array([[1, 2],
           [0, 0]])
    """
    padded = np.zeros((size, *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    return padded
