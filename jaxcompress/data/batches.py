"""Batches of rows: which rows step `s` sees is a function of (seed, s) alone.

So the step in a checkpoint is the whole position in the data, and a resumed run sees what an
uninterrupted one would have seen.

Axis letters: N rows of the table, B rows of a batch, D dimensions.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

WHOLE = slice(None)  # a part of a batch: all of it


class Feed(NamedTuple):
    """Where batches come from: the host makes small indices, the device gathers the rows.

    Batch `s` is `gather(data, index(s))`. Neither function has a memory: a batch depends on `s` and
    on the seed that the feed was made with, and not on which batches were made before it.

    Attributes:
        index: `step, part=WHOLE -> index`: a dictionary of NumPy arrays, each with leading axis B,
            made on the host. For training, every step from 0 on has one; for an evaluation, 0 to
            `num_batches - 1`. Steps of one dispatch need equal shapes, since they are stacked.
            Of several processes each asks for a part alone, a slice of the B rows.
        gather: `data, index -> batch`, pure, compiled into the step and run on the device. `data`
            is a pytree of arrays that is placed there once; it is `()` if the index holds the rows
            themselves, for data that are too large to be placed. The batch is a dictionary of
            arrays with leading axis B; its keys, shapes and types stand at the function.
        batch_size: B, over all devices; B is the axis that is split over them.
        num_batches: number of batches; None: no end, for training.
        unit: what progress is counted in, a noun in the plural.
        units: number of units in a batch; None: `batch_size`.
    """

    index: Callable[..., dict]
    gather: Callable[[Any, dict], dict]
    batch_size: int
    num_batches: int | None = None
    unit: str = "rows"
    units: int | None = None


def gather_rows(data: Any, index: dict) -> dict:
    """Makes a batch of rows of a table, of the indices that `shuffled` and `in_order` make.

    >>> index = {"rows": np.array([[1, 2]], np.float16), "mask": np.array([True])}
    >>> gather_rows((), index)["rows"]
    array([[1., 2.]], dtype=float32)

    Args:
        data: the table on the device, a JAX array [N, D]; `()` if the index holds rows.
        index: `ids` int32 [B], or `rows` [B, D] of any float type; and `mask` bool [B].

    Returns:
        `rows` float32 [B, D] and `mask` bool [B], false for padding. Whatever else the index
        holds, such as `weights` float32 [B], is passed on.
    """
    rows = index["rows"] if "rows" in index else data.at[index["ids"]].get(mode="clip")
    others = {name: value for name, value in index.items() if name != "ids"}
    return {**others, "rows": rows.astype("float32")}


@functools.lru_cache(maxsize=64)
def gather_scaled(exponent: int) -> Callable[[Any, dict], dict]:
    """Makes a `gather_rows` whose rows are multiplied by 2**-exponent, a normal float32.

    >>> gather_scaled(16)((), {"rows": np.array([[2.0**16, 2.0**17]], np.float32)})["rows"]
    array([[1., 2.]], dtype=float32)
    """
    if exponent == 0:
        return gather_rows
    factor = 2.0**-exponent

    def gather(data: Any, index: dict) -> dict:
        batch = gather_rows(data, index)
        return {**batch, "rows": batch["rows"] * factor}

    return gather


def shuffled(
    table: np.ndarray | None,
    ids: np.ndarray,
    batch_size: int,
    seed: int | tuple[int, ...],
    *,
    stream: bool,
    weights: np.ndarray | None = None,
    exponent: int = 0,
) -> Feed:
    """Feeds the rows `ids` without end, in a new order each epoch; every batch is full.

    A batch may begin in one epoch and end in the next.

    >>> feed = shuffled(None, np.array([3, 5, 8, 9]), batch_size=2, seed=0, stream=False)
    >>> sorted(int(i) for step in (0, 1) for i in feed.index(step)["ids"])
    [3, 5, 8, 9]

    Args:
        table: [N, D]; read only if `stream`, else None will do.
        ids: int [n], n > 0: the rows to train on.
        batch_size: B.
        seed: a number or several; the order is a function of (seed, epoch).
        stream: whether the host sends `rows` [B, D] of the table, and not `ids` int32 [B].
        weights: float32 [N]; indices then have `weights` [B], those of their rows. None: no key.
        exponent: batches have the rows times 2**-exponent.
    """
    orders: dict[int, np.ndarray] = {}
    seeds = seed if isinstance(seed, tuple) else (seed,)

    def order(epoch: int) -> np.ndarray:
        if epoch not in orders:
            while len(orders) > 1:  # a batch spans two epochs at most, unless it holds several
                del orders[min(orders)]
            orders[epoch] = np.random.default_rng((*seeds, epoch)).permutation(ids)
        return orders[epoch]

    def index(step: int, part: slice = WHOLE) -> dict:
        first, end, _ = part.indices(batch_size)
        start, parts, left = step * batch_size + first, [], end - first
        while left:
            epoch, offset = divmod(start, len(ids))
            some = order(epoch)[offset : offset + left]
            parts.append(some)
            start, left = start + len(some), left - len(some)
        index = make_index(table, np.concatenate(parts), stream, weights)
        return {**index, "mask": np.ones(end - first, bool)}

    return Feed(index, gather_scaled(exponent), batch_size)


def in_order(
    table: np.ndarray | None,
    ids: np.ndarray,
    batch_size: int,
    *,
    stream: bool,
    weights: np.ndarray | None = None,
    exponent: int = 0,
) -> Feed:
    """Feeds the rows `ids` once, in order; row 0 fills up the last batch, and its mask is false.

    >>> feed = in_order(None, np.array([3, 5, 8]), batch_size=2, stream=False)
    >>> feed.num_batches, feed.index(1)
    (2, {'ids': array([8, 0], dtype=int32), 'mask': array([ True, False])})

    The arguments are those of `shuffled`.
    """

    def index(i: int, part: slice = WHOLE) -> dict:
        first, end, _ = part.indices(batch_size)
        some = ids[i * batch_size + first : i * batch_size + end]
        padded = np.zeros(end - first, np.int32)
        padded[: len(some)] = some
        mask = np.arange(end - first) < len(some)
        return {**make_index(table, padded, stream, weights), "mask": mask}

    return Feed(index, gather_scaled(exponent), batch_size, -(-len(ids) // batch_size))


def make_index(
    table: np.ndarray | None, ids: np.ndarray, stream: bool, weights: np.ndarray | None
) -> dict:
    """Makes the index of the rows `ids`, int [B], but for its mask."""
    ids = ids.astype(np.int32, copy=False)
    index = {} if weights is None else {"weights": np.take(weights, ids)}
    if stream:
        return {"rows": np.take(table, ids, axis=0), **index}
    return {"ids": ids, **index}


def hold_out_rows(
    num_rows: int, num_valid: int, seed: int | tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the rows to hold out, by the seed.

    >>> train, valid = hold_out_rows(5, num_valid=2, seed=0)
    >>> len(valid), sorted([*train.tolist(), *valid.tolist()])
    (2, [0, 1, 2, 3, 4])

    Returns:
        The ids of the rows to train on and of those that are held out, int32, each ascending.
    """
    seeds = seed if isinstance(seed, tuple) else (seed,)
    held_out = np.random.default_rng((*seeds, 0x5EED)).permutation(num_rows)[:num_valid]
    is_valid = np.zeros(num_rows, bool)
    is_valid[held_out] = True
    return np.flatnonzero(~is_valid).astype(np.int32), np.flatnonzero(is_valid).astype(np.int32)
