"""All rows of a table with their codes: refined, measured, a batch at a time.

Rows stream through the devices, so that any number of them can be refined.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.data.batches import Feed, gather_rows, in_order
from jaxcompress.engine.steps import make_mapper
from jaxcompress.engine.task import PyTree

# Rows at a time: on CPU what lies between the steps of a search should stay in the cache.
_CPU_BATCH, _BATCH = 1024, 16_384


class Table(NamedTuple):
    """The rows of a table, made ready for maps over all of them.

    Attributes:
        rows: float16 or float32 [N, D].
        weights: float32 [N]: how much each row counts; None: all alike.
        is_training: bool [N]: which rows codebooks may be fitted to.
        stream: whether rows are sent from the host with each batch.
        place: any pytree -> the same arrays on every device.
        map: `function, state, index -> function(state, batch)`, replicated.
    """

    rows: np.ndarray
    weights: np.ndarray | None
    is_training: np.ndarray
    stream: bool
    place: Callable[[PyTree], PyTree]
    map: Callable[..., PyTree]

    def batches(self, ids: np.ndarray) -> Feed:
        """The rows `ids` once, in order, in batches of a good size for all devices."""
        num_devices = jax.device_count()
        most = _CPU_BATCH if jax.default_backend() == "cpu" else _BATCH
        num_batches = -(-len(ids) // most)  # all of about one size: little of the last is padding
        size = -(-len(ids) // num_batches // num_devices) * num_devices
        return in_order(self.rows, ids, size, stream=self.stream, weights=self.weights)

    def everything(self) -> Feed:
        """All rows once, in order."""
        return self.batches(np.arange(len(self.rows), dtype=np.int32))


def is_too_large(rows: np.ndarray) -> bool:
    """Whether a table should stay on the host: over half of a device's memory, or on CPU any, where
    one that is placed is a second copy."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return True
    return rows.nbytes > (device.memory_stats() or {}).get("bytes_limit", float("inf")) / 2


def make_table(rows: np.ndarray, weights: np.ndarray | None = None) -> Table:
    """Makes a table of rows [N, D] and their weights [N] alone, without a method to train."""
    stream, mapper = is_too_large(rows), make_mapper(gather_rows)
    data = () if stream else mapper.place(rows)
    return Table(
        rows=rows,
        weights=weights,
        is_training=np.ones(len(rows), bool),
        stream=stream,
        place=mapper.place,
        map=lambda function, state, index: mapper.map(function, state, data, index),
    )


def with_codes(table: Table, codes: np.ndarray) -> Feed:
    """All rows in order, with their codes, and whether codebooks may be fitted to them."""
    feed = table.everything()
    size = feed.batch_size

    def index(i: int) -> dict:
        rows = slice(i * size, (i + 1) * size)
        held = np.zeros((size, codes.shape[1]), codes.dtype)
        held[: len(codes[rows])] = codes[rows]
        fit_to = np.zeros(size, bool)
        fit_to[: len(codes[rows])] = table.is_training[rows]
        number = np.full(size, i, np.int32)
        return {**feed.index(i), "codes": held, "fit": fit_to, "batch_number": number}

    return feed._replace(index=index)
