"""Splits, batches and windows of ratings: all are positions in the arrays of a `Ratings`."""

import functools
from typing import NamedTuple

import numpy as np

from jaxcompress.data.batches import Feed, in_order, shuffled
from jaxcompress.errors import InputError


def draw_splits(num_ratings: int, protocol: str, seed: int) -> dict[str, np.ndarray]:
    """Positions of the train, valid and test ratings, int32, each ascending, drawn by the seed.

    Args:
        num_ratings: n.
        protocol: "holdout": 80, 10 and 10 %; "reference": 90 and 10 %, and the test ratings are
            the validation ratings, by which the reference also chose.
        seed: which ratings are drawn.

    Raises:
        InputError: where there are too few for any split.
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
    """Makes "users", "items" int [B], "values" float [B] and "mask" of positions of ratings."""
    ids = index["ids"]
    return {**{name: column[ids] for name, column in data.items()}, "mask": index["mask"]}


def shuffled_ratings(positions: np.ndarray, batch_size: int, seed: int) -> Feed:
    """Endless batches over ratings, in a new order each epoch."""
    feed = shuffled(None, positions, batch_size, seed, stream=False)
    return feed._replace(gather=gather_ratings, unit="ratings")


def ratings_in_order(positions: np.ndarray, batch_size: int) -> Feed:
    """The ratings at `positions` once."""
    return in_order(None, positions, batch_size, stream=False)._replace(gather=gather_ratings)


class Windows(NamedTuple):
    """A stream cut into windows of equal numbers of ratings, the last one perhaps shorter.

    Attributes:
        positions: of each window's ratings, in order of time.
        steps: of training on one window.
    """

    positions: list[np.ndarray]
    steps: int


def cut_windows(times: np.ndarray, size: int, num_passes: int, batch_size: int) -> Windows:
    """Cuts ratings into windows; those of the same second keep their order.

    Raises:
        InputError: where there are fewer than two windows: one to learn, one to test on.
    """
    order = np.argsort(times, kind="stable").astype(np.int32)
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    if len(parts) < 2:
        raise InputError(
            f"stream.window is {size} and there are {len(order)} ratings; expected two windows or "
            "more: what follows a window tests what was learnt in it."
        )
    return Windows(parts, -(-size * num_passes // batch_size))


def shuffled_windows(parts: Windows, batch_size: int, seed: int) -> Feed:
    """Batches of window after window; the last window is never trained on."""

    @functools.lru_cache(maxsize=2)  # each holds the order of its window
    def window(number: int) -> Feed:
        return shuffled_ratings(parts.positions[number], batch_size, seed + number)

    def index(step: int) -> dict:
        number, at = divmod(step, parts.steps)
        return window(number).index(at)

    return Feed(index, gather_ratings, batch_size, unit="ratings")


def first_parts(rows: np.ndarray, parts: list[np.ndarray], num_rows: int) -> np.ndarray:
    """The number of the first part in which each row is rated, int [V]; -1: in none."""
    first = np.full(num_rows, -1)
    for number in reversed(range(len(parts))):
        first[rows[parts[number]]] = number
    return first
