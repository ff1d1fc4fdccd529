"""What a config leaves open, and is chosen on validation ratings.

The weight of L2 and the number of anchors are chosen from a short grid, each value by a run of a
third of the epochs: first the weight, from one value on to whichever neighbour has the lower
validation error, then the anchors. Batch size and number of parameters follow from the ratings
alone (`plan.settle`).
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxcompress.ant.config import Config
from jaxcompress.ant.plan import columns, make_eval_feed
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.read import Ratings
from jaxcompress.engine.grid import descend
from jaxcompress.engine.loop import evaluate, fit
from jaxcompress.errors import Diverged

L2_WEIGHTS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
NUM_ANCHORS = (8, 16, 32, 64)  # of each side
_SHARE_OF_EPOCHS = 1 / 3  # of a run that is only made to choose
_L2_FIRST, _ANCHORS_FIRST = 2, 1  # where in its grid the search begins


def is_open(config: Config) -> bool:
    """Says whether something is to be chosen."""
    return config.penalty.l2 is None or config.model.user_anchors is None or (
        config.model.item_anchors is None)  # fmt: skip


def with_choice(config: Config, choice: dict[str, Any]) -> Config:
    """Fills in what was left open: "l2" and "num_anchors", each of which may be given already."""
    model, penalty = config.model, config.penalty
    anchors = choice["num_anchors"]
    return dataclasses.replace(
        config,
        model=dataclasses.replace(
            model,
            user_anchors=min(anchors, choice["most_users"])
            if model.user_anchors is None
            else model.user_anchors,
            item_anchors=min(anchors, choice["most_items"])
            if model.item_anchors is None
            else model.item_anchors,
        ),
        penalty=dataclasses.replace(penalty, l2=choice["l2"] if penalty.l2 is None else penalty.l2),
    )


def choose(ratings: Ratings, config: Config, say: Callable[[str], None]) -> dict[str, Any]:
    """Chooses what a config leaves open, and says what each value gave.

    It is a function of ratings and config alone. A stream has no validation ratings before it
    starts, and takes the middle of each grid.

    Args:
        ratings: the ratings.
        config: the run's.
        say: takes a line for the user.

    Returns:
        What `with_choice` takes.
    """
    most = {f"most_{side}": len(ids) for side, (_, ids) in columns(ratings).items()}
    choice = {"l2": L2_WEIGHTS[_L2_FIRST], "num_anchors": NUM_ANCHORS[_ANCHORS_FIRST], **most}
    if config.stream.window is not None:
        say(f"penalty.l2 {choice['l2']}, anchors {choice['num_anchors']}: nothing to choose by yet")
        return choice

    known: dict[tuple[Any, ...], float] = {}

    def error(name: str, value: Any) -> float:
        short = dataclasses.replace(config, num_epochs=config.num_epochs * _SHARE_OF_EPOCHS)
        tried = {**choice, name: value}
        key = tuple(tried.values())
        if key not in known:
            known[key] = _valid_mse(ratings, with_choice(short, tried))
            say(f"{name} {value}: validation MSE {known[key]:.4f}")
        return known[key]

    if config.penalty.l2 is None:
        choice["l2"] = descend(L2_WEIGHTS, _L2_FIRST, lambda value: error("l2", value))
    if config.model.table == "anchors" and None in (
        config.model.user_anchors,
        config.model.item_anchors,
    ):
        choice["num_anchors"] = descend(
            NUM_ANCHORS, _ANCHORS_FIRST, lambda value: error("num_anchors", value)
        )
    say(f"chosen on validation ratings: l2 {choice['l2']}, anchors {choice['num_anchors']} a side")
    return choice


def _valid_mse(ratings: Ratings, config: Config) -> float:
    problem = prepare(ratings, config, say=lambda line: None)
    try:
        state = fit(problem.job, show_progress=False, keep_best=True, say=lambda line: None).state
    except Diverged:
        return np.inf
    valid = make_eval_feed(problem.splits["valid"])
    return problem.job.task.metrics(evaluate(problem.job, state, valid))["mse"]
