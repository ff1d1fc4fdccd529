"""What a config leaves open, and is chosen on validation ratings.

The weight of L2 and the number of anchors are chosen from a short grid, each value by a whole run:
of a shorter one, weights that are too small come out best. First the weight, from one value on to
the next as long as the validation error falls, then the anchors. Batch size and number of
parameters follow from the ratings alone (`plan.settle`). In the end tables have to be better than
biases alone, or there are none (`alone.py`).
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxcompress.ant.config import Config
from jaxcompress.ant.plan import columns, make_eval_feed, num_rows, settle
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.read import Ratings
from jaxcompress.engine.grid import descend
from jaxcompress.engine.loop import evaluate, fit
from jaxcompress.errors import Diverged

L2_WEIGHTS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
NUM_ANCHORS = (4, 8, 16, 32, 64)  # of each side
_L2_FIRST, _ANCHORS_FIRST = 3, 2  # where in its grid the search begins
_ANCHORS_SHARE = 0.5  # of what biases leave of the number of parameters, at most


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


def valid_mse(ratings: Ratings, config: Config) -> float:
    """Trains by a config, and computes the validation error; infinite if the run diverges."""
    problem = prepare(ratings, config, say=lambda line: None)
    try:
        state = fit(problem.job, show_progress=False, keep_best=True, say=lambda line: None).state
    except Diverged:
        return np.inf
    valid = make_eval_feed(problem.splits["valid"])
    return problem.job.task.metrics(evaluate(problem.job, state, valid))["mse"]


def choose(
    ratings: Ratings,
    config: Config,
    say: Callable[[str], None],
    error: Callable[[Ratings, Config], float] = valid_mse,
) -> dict[str, Any]:
    """Chooses what a config leaves open, and says what each value gave.

    It is a function of ratings and config alone. A stream has no validation ratings before it
    starts, and takes the middle of each grid.

    Args:
        ratings: the ratings.
        config: the run's.
        say: takes a line for the user.
        error: the validation error of a config.

    Returns:
        What `with_choice` takes.
    """
    most = {f"most_{side}": len(ids) for side, (_, ids) in columns(ratings).items()}
    anchors = _affordable(ratings, config)
    first = min(_ANCHORS_FIRST, len(anchors) - 1)
    choice = {"l2": L2_WEIGHTS[_L2_FIRST], "num_anchors": anchors[first], **most}
    if config.stream.window is not None:
        say(f"penalty.l2 {choice['l2']}, anchors {choice['num_anchors']}: nothing to choose by yet")
        return choice

    known: dict[tuple[Any, ...], float] = {}

    def error_of(name: str, value: Any) -> float:
        tried = {**choice, name: value}
        key = tuple(tried.values())
        if key not in known:
            known[key] = error(ratings, with_choice(config, tried))
            say(f"{name} {value}: validation MSE {known[key]:.4f}")
        return known[key]

    if config.penalty.l2 is None:
        choice["l2"] = descend(L2_WEIGHTS, _L2_FIRST, lambda value: error_of("l2", value))
    if config.model.table == "anchors" and None in (
        config.model.user_anchors,
        config.model.item_anchors,
    ):
        choice["num_anchors"] = descend(
            anchors, first, lambda value: error_of("num_anchors", value)
        )
    say(f"chosen on validation ratings: l2 {choice['l2']}, anchors {choice['num_anchors']} a side")
    return choice


def _affordable(ratings: Ratings, config: Config) -> tuple[int, ...]:
    """Takes the numbers of anchors that leave as many parameters for the tables' entries."""
    config = settle(ratings, config)
    if config.penalty.num_parameters is None:
        return NUM_ANCHORS
    left = config.penalty.num_parameters - config.model.biases * num_rows(ratings, config) - 1
    each = 2 * config.model.latent_dim / _ANCHORS_SHARE
    return tuple(x for x in NUM_ANCHORS if x * each <= left) or NUM_ANCHORS[:1]
