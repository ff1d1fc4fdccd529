"""Ranking: which items of the whole catalogue a run recommends, beside popularity and item means.

Each user's items are ranked by their predictions, without those that the run has seen of the user
(Cremonesi, Koren & Turrin, "Performance of Recommender Algorithms on Top-N Recommendation Tasks",
RecSys 2010, on all items instead of a thousand).

Axis letters: n users, I items, B users at a time, k items recommended.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.anchors.recommender import Recommender
from jaxcompress.ant.config import describe
from jaxcompress.ant.effects import ITEM_MEANS
from jaxcompress.ant.export import known_ratings, to_artefact
from jaxcompress.ant.prepare import Problem
from jaxcompress.data.ratings.read import Ratings
from jaxcompress.engine.task import TrainState
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.ids import largest_ids

POPULARITY = "popularity"  # the number of training ratings of an item, as tables say
_USERS_AT_ONCE = 256
_OF_PAIRS = 0.5  # between pairs, which count 1, and negatives, which count 0


class Figures(NamedTuple):
    """Figures at each k of each user: float64 [n, number of ks].

    Attributes:
        recall: the share of the user's relevant items that are among the first k.
        ndcg: the discounted gain of the first k, `sum 1 / log2(rank + 1)` over the relevant ones,
            divided by the most that it can be (Jarvelin & Kekalainen, 2002).
        hit_rate: whether one of the first k is relevant, 0 or 1.
    """

    recall: np.ndarray
    ndcg: np.ndarray
    hit_rate: np.ndarray


class Ranking(NamedTuple):
    """How well test items are found among all items.

    Attributes:
        ks: the numbers of items that are recommended.
        users: ids of the n users that have relevant test items.
        figures: the figures of the run, of "popularity" and of "item means", by these names; the
            run's name is the first.
    """

    ks: tuple[int, ...]
    users: list[str]
    figures: dict[str, Figures]

    def rows(self) -> list[dict[str, float | str]]:
        """Makes a row of means over users of each, as tables show them."""
        return [
            {"method": name, **{
                f"{figure}_at_{k}": float(values[:, i].mean())
                for i, k in enumerate(self.ks) for figure, values in found._asdict().items()
            }}
            for name, found in self.figures.items()
        ]  # fmt: skip


def figures_of(is_relevant: np.ndarray, num_relevant: int, ks: Sequence[int]) -> list[np.ndarray]:
    """Computes recall, NDCG and whether there is a hit, of one user at each k.

    >>> [x.round(3).tolist() for x in figures_of(np.array([False, True, False]), 2, (1, 3))]
    [[0.0, 0.5], [0.0, 0.387], [0.0, 1.0]]

    Args:
        is_relevant: bool [largest k or fewer], of the recommended items, the best first.
        num_relevant: the user's relevant items in all.
        ks: numbers of items.
    """
    gains = 1 / np.log2(np.arange(2, max(*ks, num_relevant, 2) + 2))
    hits = np.array([is_relevant[:k].sum() for k in ks], float)
    gained = np.array([(gains[: len(is_relevant)] * is_relevant)[:k].sum() for k in ks])
    most = np.array([gains[: min(k, num_relevant)].sum() for k in ks])
    return [hits / num_relevant, gained / most, (hits > 0).astype(float)]


def rank(problem: Problem, state: TrainState, ks: Sequence[int], threshold: float) -> Ranking:
    """Ranks all items of each user that has relevant test items.

    Args:
        problem: the run.
        state: the trained state.
        ks: numbers of items recommended to a user.
        threshold: the least rating of a relevant item; of pairs without ratings all are relevant.

    Raises:
        InputError: if a k is less than 1, or no test rating is as large as the threshold.
    """
    if not ks or min(ks) < 1:
        raise InputError(f"k is {', '.join(map(str, ks))}; each must be at least 1.")
    ratings, test = problem.ratings, problem.splits["test"]
    threshold = _OF_PAIRS if ratings.are_pairs else threshold
    if threshold > (largest := ratings.values.max()):
        raise InputError(
            f"threshold is {threshold:g}; the largest rating is {largest:g}, so no item would be "
            "relevant. Lower it."
        )
    relevant = test[ratings.values[test] >= threshold]
    if not len(relevant):
        raise InputError(f"threshold is {threshold:g}; no test rating is as large. Lower it.")
    table = to_artefact(problem, *jax.device_get((state.params, state.aux)))
    train = problem.splits["train"]
    train = train[ratings.values[train] > 0] if ratings.are_pairs else train
    popularity = np.bincount(ratings.items[train], minlength=len(ratings.item_ids))
    means = problem.effects[ITEM_MEANS].items
    scorers: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        describe(problem.config): Recommender(table).scores,
        POPULARITY: lambda users: np.tile(popularity.astype(np.float32), (len(users), 1)),
        ITEM_MEANS: lambda users: np.tile(means.astype(np.float32), (len(users), 1)),
    }
    known = known_ratings(problem)
    users = np.unique(ratings.users[relevant])
    found = {name: _figures(ratings, users, score, known, relevant, tuple(ks))
             for name, score in scorers.items()}  # fmt: skip
    return Ranking(tuple(ks), [ratings.user_ids[user] for user in users], found)


def _figures(
    ratings: Ratings,
    users: np.ndarray,
    score: Callable[[np.ndarray], np.ndarray],
    known: np.ndarray,
    relevant: np.ndarray,
    ks: tuple[int, ...],
) -> Figures:
    seen, wanted = (_items_of(ratings, positions) for positions in (known, relevant))
    found = []
    for start in range(0, len(users), _USERS_AT_ONCE):
        part = users[start : start + _USERS_AT_ONCE]
        for user, scores in zip(part, score(part), strict=True):
            scores[seen(user)] = -np.inf
            best = largest_ids(scores, min(max(ks), len(scores)))
            best = best[np.isfinite(scores[best])]
            mine = wanted(user)
            found.append(figures_of(np.isin(best, mine), len(mine), ks))
    return Figures(*np.array(found).swapaxes(0, 1))


def _items_of(ratings: Ratings, positions: np.ndarray) -> Callable[[int], np.ndarray]:
    """Makes `user -> items` of the ratings at these positions."""
    order = positions[np.argsort(ratings.users[positions], kind="stable")]
    ends = np.append(
        0, np.cumsum(np.bincount(ratings.users[order], minlength=len(ratings.user_ids)))
    )
    items = ratings.items[order]
    return lambda user: items[ends[user] : ends[user + 1]]


def write_ranking(ranking: Ranking, file: Path) -> None:
    """Writes a line for each user: the id, and the run's figures at each k."""
    own = next(iter(ranking.figures.values()))
    names = [f"{name}_at_{k}" for k in ranking.ks for name in Figures._fields]
    values = np.stack(own, axis=-1).reshape(len(ranking.users), -1)
    with (
        atomic_write(file) as partial,
        open(partial, "w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(("user", *names))
        for user, row in zip(ranking.users, values, strict=True):
            writer.writerow((user, *(f"{value:.6g}" for value in row)))
