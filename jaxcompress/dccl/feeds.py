"""The rows that are trained on, and those of them whose errors are followed.

Axis letters: B rows of a batch.
"""

import numpy as np

from jaxcompress.codes.rows import PreparedTable
from jaxcompress.data.batches import Feed, shuffled
from jaxcompress.data.row_shards import RowShards, side_by_side
from jaxcompress.dccl.split import rows_to_train

_SAMPLE = 2048  # training rows whose errors are followed, and whose codes tell unused codewords


def training_feed(table: PreparedTable, batch_size: int, seed: int) -> Feed:
    """Feeds rows that are not held out, as many of each shard, without end."""
    shards = table.shards

    def make(shard: int) -> Feed:
        rows = shards.rows(shard)
        return shuffled(
            table.rows[rows],
            rows_to_train(shards, table.held_out, shard),
            batch_size // shards.count,
            shards.seed(seed, shard),
            stream=table.stream,
            weights=None if table.weights is None else table.weights[rows],
            exponent=table.exponent,
        )

    return side_by_side(make, shards.count, batch_size)


def sample_rows(table: PreparedTable) -> np.ndarray:
    """Takes rows at equal distances, of those that are trained on and whose weight is not 0."""
    shards, sampled = table.shards, []
    for shard in range(shards.count):
        rows, share = shards.rows(shard), RowShards(_SAMPLE, shards.count).rows(shard)
        counting = rows.start + rows_to_train(shards, table.held_out, shard)
        if table.weights is not None:
            counting = counting[table.weights[counting] > 0]
        count = min(len(counting), share.stop - share.start)
        spread = np.linspace(0, len(counting) - 1, count)
        sampled.append(counting[spread.astype(np.int64)])
    return np.concatenate(sampled).astype(np.int32)
