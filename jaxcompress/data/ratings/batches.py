"""Splits, batches and windows of ratings: all are positions in the arrays of a `Ratings`.

Axis letters: n ratings, B ratings of a batch, V rows of a side (users or items).
"""

import functools
from typing import NamedTuple

import numpy as np

from jaxcompress.data.batches import WHOLE, Feed, in_order, shuffled
from jaxcompress.errors import InputError


def draw_splits(num_ratings: int, protocol: str, seed: int) -> dict[str, np.ndarray]:
    """Draws the ratings of the train, valid and test splits.

    >>> {split: len(positions) for split, positions in draw_splits(100, "holdout", 0).items()}
    {'train': 80, 'valid': 10, 'test': 10}

    Args:
        num_ratings: n.
        protocol: "holdout": 80, 10 and 10 %; "reference": 90 and 10 %, and the test ratings are
            the validation ratings, by which the reference also chose.
        seed: which ratings are drawn is a function of it.

    Returns:
        Positions of ratings by split, int32, each ascending.

    Raises:
        InputError: if there are too few ratings.
    """
    part = num_ratings // 10
    if part < 1:
        raise InputError(f"{num_ratings} ratings; expected at least 10, to split 80/10/10.")
    drawn = np.random.default_rng((seed, 0x5EED)).permutation(num_ratings).astype(np.int32)
    if protocol == "reference":
        valid = np.sort(drawn[:part])
        return {"train": np.sort(drawn[part:]), "valid": valid, "test": valid}
    valid, test = np.sort(drawn[:part]), np.sort(drawn[part : 2 * part])
    return {"train": np.sort(drawn[2 * part :]), "valid": valid, "test": test}


def gather_ratings(data: dict, index: dict) -> dict:
    """Makes a batch of ratings, of the indices that the feeds below make.

    >>> data = {"users": np.array([7, 8]), "values": np.array([4.0, 1.5])}
    >>> gather_ratings(data, {"ids": np.array([1, 0]), "mask": np.array([True, False])})
    {'users': array([8, 7]), 'values': array([1.5, 4. ]), 'mask': array([ True, False])}

    Args:
        data: arrays [n] on the device: `users` and `items` int32, `values` float32.
        index: `ids` int32 [B], positions in them; `mask` bool [B].

    Returns:
        `users` and `items` int32 [B], row numbers; `values` float32 [B]; and `mask` bool [B], false
        for padding.
    """
    ids = index["ids"]
    return {**{name: column[ids] for name, column in data.items()}, "mask": index["mask"]}


def shuffled_ratings(positions: np.ndarray, batch_size: int, seed: int) -> Feed:
    """Feeds the ratings at `positions` without end, in a new order each epoch."""
    feed = shuffled(None, positions, batch_size, seed, stream=False)
    return feed._replace(gather=gather_ratings, unit="ratings")


def ratings_in_order(positions: np.ndarray, batch_size: int) -> Feed:
    """Feeds the ratings at `positions` once, in order."""
    return in_order(None, positions, batch_size, stream=False)._replace(gather=gather_ratings)


class Windows(NamedTuple):
    """Ratings in order of time, cut into windows of equal size, the last one perhaps smaller.

    Attributes:
        positions: for each window, those of its ratings in order of time, int32.
        steps: number of training steps on each window.
    """

    positions: list[np.ndarray]
    steps: int


def cut_windows(times: np.ndarray, size: int, num_passes: int, batch_size: int) -> Windows:
    """Cuts ratings into windows; those of the same second keep their order.

    >>> cut_windows(np.array([5, 1, 4, 2, 3]), size=3, num_passes=2, batch_size=2)
    Windows(positions=[array([1, 3, 4], dtype=int32), array([2, 0], dtype=int32)], steps=3)

    Args:
        times: int64 [n], seconds.
        size: ratings of a window.
        num_passes: how often each rating of a window is trained on before the next window comes.
        batch_size: B.

    Raises:
        InputError: if there are fewer than two windows: one to learn, one to test on.
    """
    order = np.argsort(times, kind="stable").astype(np.int32)
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    if len(parts) < 2:
        raise InputError(
            f"stream.window is {size} and there are {len(order)} ratings; expected two windows or "
            "more, since a window is trained on and the one after it tests what was learned."
        )
    return Windows(parts, -(-size * num_passes // batch_size))


def shuffled_windows(windows: Windows, batch_size: int, seed: int, *, replay: bool = False) -> Feed:
    """Feeds window after window, each in an order drawn by the seed; the last one is for tests.

    Step s is of window s // `windows.steps`, with `replay` of all windows up to it; there are no
    steps of the last window.
    """

    @functools.lru_cache(maxsize=2)  # each holds the order of its window
    def window(number: int) -> Feed:
        known = windows.positions[0 if replay else number : number + 1]
        return shuffled_ratings(np.concatenate(known), batch_size, seed + number)

    def index(step: int, part: slice = WHOLE) -> dict:
        number, at = divmod(step, windows.steps)
        return window(number).index(at, part)

    return Feed(index, gather_ratings, batch_size, unit="ratings")


def first_parts(rows: np.ndarray, parts: list[np.ndarray], num_rows: int) -> np.ndarray:
    """Finds the first part in which each row is rated.

    >>> first_parts(np.array([0, 1, 1, 2]), [np.array([1]), np.array([0, 2])], num_rows=3)
    array([ 1,  0, -1])

    Args:
        rows: int [n], the row of each rating.
        parts: positions of ratings, one part after another.
        num_rows: V.

    Returns:
        The number of a part for each row, int [V]; -1: in none.
    """
    first = np.full(num_rows, -1)
    for number in reversed(range(len(parts))):
        first[rows[parts[number]]] = number
    return first
