"""From ratings and a config to a job for the loop: tables, phases, batches, first values."""

import csv
import functools
from pathlib import Path

import jax
import numpy as np

from jaxcompress.ant.model import SIDES, RatingModel
from jaxcompress.ant.prepare import Problem, evaluation
from jaxcompress.engine import report
from jaxcompress.engine.loop import map_rows
from jaxcompress.engine.report import say
from jaxcompress.engine.task import TrainState
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write


def precision_and_recall(
    users: np.ndarray, truth: np.ndarray, predicted: np.ndarray, k: int, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores each user's rated items, in the order of their predictions.

    Precision at k is the share of relevant ones (rated `threshold` or more) among those of the
    first k that are predicted to be so, 0 where none is; recall at k the share of the user's
    relevant items that are among them, 0 where there are none.

    Args:
        users: int [n].
        truth: [n].
        predicted: [n].
        k: items recommended at most.
        threshold: the least rating of a relevant item.

    Returns:
        The users, ascending, and precision and recall of each.
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


def rank(
    problem: Problem, state: TrainState, workdir: Path, k: int, threshold: float
) -> dict[str, float]:
    """Prints precision and recall at k, means over users; each user's go to `ranking.csv`."""
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1.")
    positions, ratings, job = problem.splits["test"], problem.ratings, problem.job
    predicted = map_rows(
        functools.partial(_predict, problem.model),
        job,
        state.replace(opt_state=()),
        evaluation(positions),
        len(positions),
    )
    users, precision, recall = precision_and_recall(
        ratings.users[positions], ratings.values[positions], predicted, k, threshold
    )
    with (
        atomic_write(workdir / "ranking.csv") as partial,
        open(partial, "w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(("user", "precision", "recall"))
        for user, p, r in zip(users, precision, recall, strict=True):
            writer.writerow((ratings.user_ids[user], f"{p:.6g}", f"{r:.6g}"))
    figures = {"users": len(users), f"precision_at_{k}": float(precision.mean()),
               f"recall_at_{k}": float(recall.mean())}  # fmt: skip
    say("\n" + report.format_figures(figures))
    say(f"\neach user's: {workdir}/ranking.csv")
    return figures


def _predict(model: RatingModel, state: TrainState, batch: dict) -> jax.Array:
    about = {side: state.aux[side] for side in SIDES}
    return model.apply({"params": state.params}, batch, about, fill=True)[0]
