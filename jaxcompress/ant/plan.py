"""What a run trains on and when, and what it is tested on: splits, windows of a stream, feeds."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.ant.config import Config
from jaxcompress.ant.starts import NEVER
from jaxcompress.data.batches import Feed
from jaxcompress.data.ratings import batches as ratings_batches
from jaxcompress.data.ratings.batches import shuffled_windows
from jaxcompress.data.ratings.read import Ratings

_BATCH_SIZES = (32, 16_384)  # least and most ratings of a step
_EVAL_BATCH = 16_384  # ratings of a batch of an evaluation, over all devices


class Plan(NamedTuple):
    """What is trained on and when, and what is tested on.

    Attributes:
        splits: positions of the ratings of each split.
        parts: positions of the training ratings, as they come: all at once, or window by window.
        feed: training batches.
        valid: the evaluation by which states and anchors are chosen.
        steps_per_part: steps of an epoch, or of a window.
        num_steps: steps of the run.
    """

    splits: dict[str, np.ndarray]
    parts: list[np.ndarray]
    feed: Feed
    valid: Feed | Callable[[int], Feed]
    steps_per_part: int
    num_steps: int


def make_plan(ratings: Ratings, config: Config) -> Plan:
    """Draws the splits, or cuts the windows, and lays out the steps.

    Raises:
        InputError: if there are too few ratings.
    """
    batch_size, seed, stream = config.batch_size, config.seed, config.stream
    if stream.window is None:
        splits = ratings_batches.draw_splits(len(ratings), config.data.protocol, seed)
        feed = ratings_batches.shuffled_ratings(splits["train"], batch_size, seed)
        per_epoch = max(1, len(splits["train"]) // batch_size)
        num_steps = config.num_steps or max(1, round(config.num_epochs * per_epoch))
        valid = make_eval_feed(splits["valid"])
        return Plan(splits, [splits["train"]], feed, valid, per_epoch, num_steps)
    cut = ratings_batches.cut_windows(ratings.times, stream.window, stream.num_passes, batch_size)
    parts, last = cut.positions[:-1], cut.positions[-1]
    num_steps = min(cut.steps * len(parts), config.num_steps or NEVER)
    return Plan(
        splits={"train": np.concatenate(parts), "valid": last, "test": last},
        parts=parts,
        feed=shuffled_windows(cut, batch_size, seed, replay=stream.replay),
        valid=lambda step: make_eval_feed(cut.positions[-(-step // cut.steps)]),
        steps_per_part=cut.steps,
        num_steps=num_steps,
    )


def settle(ratings: Ratings, config: Config) -> Config:
    """Derives batch size, eps and number of parameters from the ratings if the config has none."""
    changes: dict[str, Any] = {}
    if config.batch_size is None:
        whole = config.stream.window or 0.8 * len(ratings)
        changes["batch_size"] = int(np.clip(whole // 100, *_BATCH_SIZES))
    if config.optimizer.eps is None:
        eps = 0.1 / changes.get("batch_size", config.batch_size)
        changes["optimizer"] = dataclasses.replace(config.optimizer, eps=eps)
    penalty = config.penalty
    if penalty.share is not None:
        rows = num_rows(ratings, dataclasses.replace(config, **changes))
        number = max(1, round(penalty.share * rows * config.model.latent_dim))
        changes["penalty"] = dataclasses.replace(penalty, num_parameters=number, share=None)
    return dataclasses.replace(config, **changes)


def num_rows(ratings: Ratings, config: Config) -> int:
    """Counts the users and items that have training ratings."""
    train = make_plan(ratings, config).splits["train"]
    return sum(len(np.unique(rows[train])) for rows, _ in columns(ratings).values())


def columns(ratings: Ratings) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Takes each side's row numbers, int [number of ratings], and the ids that name its rows."""
    return {
        "users": (ratings.users, ratings.user_ids),
        "items": (ratings.items, ratings.item_ids),
    }


def make_eval_feed(positions: np.ndarray) -> Feed:
    """Makes a feed of the ratings at `positions`, once, in batches for all devices."""
    num_devices = jax.device_count()
    per_device = -(-min(_EVAL_BATCH, len(positions)) // num_devices)
    return ratings_batches.ratings_in_order(positions, per_device * num_devices)
