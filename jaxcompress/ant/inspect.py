"""Trains tables of users and items: `python -m train.ant --config configs/movielens_1m.py:ant`.

`--mode evaluate` and `--mode export` take a finished or half-finished run, `--mode inspect` shows
what its anchors stand for, `--mode rank` scores the test items of each user, `--mode compare` lays
runs side by side.
"""

import jax
import numpy as np

from jaxcompress.ant.config import describe
from jaxcompress.ant.prepare import Problem
from jaxcompress.data.ratings.titles import Title, read_titles
from jaxcompress.engine.report import say
from jaxcompress.engine.task import TrainState
from jaxcompress.errors import InputError


def inspect_anchors(problem: Problem, state: TrainState, num_items: int) -> None:
    """Prints the strongest items of each anchor, and how much they have in common.

    Genre purity is the share of the strongest items that have the genre most frequent among them,
    beside that genre's share of all items.

    Raises:
        InputError: where the items have no anchors.
    """
    part = jax.device_get(state.params["items"])
    if "transform" not in part:
        raise InputError(f"{describe(problem.config)} has no anchors; inspect a run of ANT.")
    titles = read_titles(problem.ratings.source)
    names, active = problem.ratings.item_ids, np.asarray(state.aux["items"]["active"])
    unknown = Title("", ())
    shown = [titles.get(name, unknown) for name in names]
    shares = _genre_shares(shown)
    strength = part["transform"] * np.linalg.norm(part["anchors"], axis=1)
    for number, k in enumerate(np.flatnonzero(active), 1):
        weights = strength[:, k]
        used = int((weights > 0).sum())
        best = [i for i in np.argsort(-weights, kind="stable")[:num_items] if weights[i] > 0]
        line = f"anchor {number}: {used:,} of {len(names):,} items"
        if best and (genres := _genre_shares([shown[i] for i in best])):
            genre = max(genres, key=lambda g: (genres[g], g))
            line += f"; genre purity {genres[genre]:.2f} {genre} (of all items {shares[genre]:.2f})"
        say(line)
        for i in best:
            say(f"  {weights[i]:7.3f}  {shown[i].name or names[i]}  {'|'.join(shown[i].genres)}")


def _genre_shares(titles: list[Title]) -> dict[str, float]:
    genres = sorted({genre for title in titles for genre in title.genres})
    return {g: sum(g in title.genres for title in titles) / len(titles) for g in genres}
