"""Batches of rows: which rows step `s` sees is a function of (seed, s) alone.

So the step of a checkpoint is the whole position in the data, and a resumed run sees what an
uninterrupted one would have seen.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Feed(NamedTuple):
    """Where batches come from: the host makes small indices, the device gathers the rows.

    Attributes:
        index: `step -> pytree` of NumPy arrays with leading axis B, made on the host.
        gather: `data, index -> batch`, pure, run on the device. `data` is placed there once;
            it is `()` where the rows themselves are in the index (data too large to be placed).
        batch_size: B, over all devices.
        num_batches: how many there are; None for training, which has no end.
        unit: what progress is counted in.
        units: how many of them a batch has; None: batch_size.
    """

    index: Callable[[int], Any]
    gather: Callable[[Any, Any], dict]
    batch_size: int
    num_batches: int | None = None
    unit: str = "rows"
    units: int | None = None


def gather_rows(data: Any, index: dict) -> dict:
    """Makes `{"rows": float32 [B, D], "mask": [B]}` of row ids and the table, or of rows.

    Whatever else the index holds, such as weights, is passed on.
    """
    rows = index["rows"] if "rows" in index else data.at[index["ids"]].get(mode="clip")
    others = {name: value for name, value in index.items() if name != "ids"}
    return {**others, "rows": rows.astype("float32")}


def shuffled(
    table: np.ndarray | None,
    ids: np.ndarray,
    batch_size: int,
    seed: int,
    *,
    stream: bool,
    weights: np.ndarray | None = None,
) -> Feed:
    """Endless batches over `ids`, in a new order each epoch; none is short.

    Args:
        table: [N, D]; read only where the host sends rows.
        ids: int [n]: the rows to train on.
        batch_size: B.
        seed: the order is a function of (seed, epoch).
        stream: whether the host sends rows, and not ids.
        weights: float32 [N], of which the batches then hold theirs; or None.
    """
    orders: dict[int, np.ndarray] = {}

    def order(epoch: int) -> np.ndarray:
        if epoch not in orders:
            while len(orders) > 1:  # a batch spans two epochs at most, unless it holds several
                del orders[min(orders)]
            orders[epoch] = np.random.default_rng((seed, epoch)).permutation(ids)
        return orders[epoch]

    def index(step: int) -> dict:
        start, parts, left = step * batch_size, [], batch_size
        while left:
            epoch, offset = divmod(start, len(ids))
            part = order(epoch)[offset : offset + left]
            parts.append(part)
            start, left = start + len(part), left - len(part)
        return _index(table, np.concatenate(parts), batch_size, stream, weights)

    return Feed(index, gather_rows, batch_size)


def in_order(
    table: np.ndarray | None,
    ids: np.ndarray,
    batch_size: int,
    *,
    stream: bool,
    weights: np.ndarray | None = None,
) -> Feed:
    """The rows `ids` once, in order; the last batch is padded, its mask says where."""

    def index(i: int) -> dict:
        part = ids[i * batch_size : (i + 1) * batch_size]
        return _index(table, part, batch_size, stream, weights)

    return Feed(index, gather_rows, batch_size, -(-len(ids) // batch_size))


def _index(
    table: np.ndarray | None,
    ids: np.ndarray,
    batch_size: int,
    stream: bool,
    weights: np.ndarray | None,
) -> dict:
    padded = np.zeros(batch_size, np.int32)
    padded[: len(ids)] = ids
    index = {"mask": np.arange(batch_size) < len(ids)}
    if weights is not None:
        index["weights"] = np.take(weights, padded)
    if stream:
        return {"rows": np.take(table, padded, axis=0), **index}
    return {"ids": padded, **index}


def split_rows(num_rows: int, valid_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits row ids in (train, valid), each ascending; the held-out rows are chosen by `seed`."""
    held_out = np.random.default_rng((seed, 0x5EED)).permutation(num_rows)[:valid_rows]
    is_valid = np.zeros(num_rows, bool)
    is_valid[held_out] = True
    return np.flatnonzero(~is_valid).astype(np.int32), np.flatnonzero(is_valid).astype(np.int32)
