"""Ranking: precision and recall of the items that a run would recommend to each user."""

import csv
import functools
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.ant.model import RatingModel, masks_of
from jaxcompress.ant.plan import make_eval_feed
from jaxcompress.ant.prepare import Problem
from jaxcompress.engine.loop import map_rows
from jaxcompress.engine.task import TrainState
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write


class Ranking(NamedTuple):
    """Figures of each user that has test ratings.

    Attributes:
        users: ids of the users.
        precision: float64 [number of users], precision at k.
        recall: float64 [number of users], recall at k.
    """

    users: list[str]
    precision: np.ndarray
    recall: np.ndarray


def precision_and_recall(
    users: np.ndarray, truth: np.ndarray, predicted: np.ndarray, k: int, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores each user's rated items, in the order of their predictions.

    Precision at k is the share of relevant items (rated `threshold` or more) among those of the
    first k whose prediction is `threshold` or more; 0 if there are none. Recall at k is the share
    of the user's relevant items that are among these; 0 if there are none.

    Args:
        users: int [n], the user of each rating.
        truth: [n], ratings.
        predicted: [n], predictions.
        k: items recommended to a user at most.
        threshold: the least rating of a relevant item.

    Returns:
        The users, ascending, and precision and recall of each.

    >>> precision_and_recall(np.array([7, 7, 7]), np.array([5, 2, 4]), np.array([4.9, 4.5, 4.2]),
    ...                      k=2, threshold=3.5)
    (array([7]), array([0.5]), array([0.5]))
    """
    order = np.lexsort((-predicted, users))
    users, truth, predicted = users[order], truth[order], predicted[order]
    who, first, which = np.unique(users, return_index=True, return_inverse=True)
    in_first_k = np.arange(len(users)) - first[which] < k
    relevant, recommended = truth >= threshold, (predicted >= threshold) & in_first_k

    def count(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(which[chosen], minlength=len(who))

    hits = count(relevant & recommended)
    return who, hits / np.maximum(count(recommended), 1), hits / np.maximum(count(relevant), 1)


def rank(problem: Problem, state: TrainState, k: int, threshold: float) -> Ranking:
    """Ranks the test items of each user.

    Args:
        problem: the run.
        state: the trained state.
        k: items recommended to a user at most.
        threshold: the least rating of a relevant item.

    Raises:
        InputError: if k is less than 1, or no rating is as large as the threshold.
    """
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1.")
    positions, ratings = problem.splits["test"], problem.ratings
    if threshold > (largest := ratings.values.max()):
        raise InputError(
            f"threshold is {threshold:g}; the largest rating is {largest:g}, so no item would be "
            "relevant. Lower it, for pairs without ratings to 0.5."
        )
    predicted = map_rows(
        functools.partial(_predict, problem.model),
        problem.job,
        state.replace(opt_state=()),
        make_eval_feed(positions),
        len(positions),
    )
    users, precision, recall = precision_and_recall(
        ratings.users[positions], ratings.values[positions], predicted, k, threshold
    )
    return Ranking([ratings.user_ids[user] for user in users], precision, recall)


def write_ranking(ranking: Ranking, file: Path) -> None:
    """Writes a line for each user: id, precision, recall."""
    with (
        atomic_write(file) as partial,
        open(partial, "w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(("user", "precision", "recall"))
        for user, precision, recall in zip(*ranking, strict=True):
            writer.writerow((user, f"{precision:.6g}", f"{recall:.6g}"))


def _predict(model: RatingModel, state: TrainState, batch: dict) -> jax.Array:
    return model.apply({"params": state.params}, batch, masks_of(state.aux), fill=True)[0]
