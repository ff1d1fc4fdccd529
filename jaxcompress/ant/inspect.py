"""What the anchors of items stand for: the items of most weight, and the genres that they share."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.ant.config import describe
from jaxcompress.ant.prepare import Problem
from jaxcompress.data.ratings.titles import Title, read_titles
from jaxcompress.engine.task import TrainState
from jaxcompress.errors import InputError
from jaxcompress.storage.ids import largest_ids


class Item(NamedTuple):
    """An item of an anchor.

    Attributes:
        weight: its entry of T times the norm of the anchor.
        title: its title; its id if no titles are known.
        genres: its genres, perhaps none.
    """

    weight: float
    title: str
    genres: tuple[str, ...]


class Anchor(NamedTuple):
    """What an anchor stands for.

    Attributes:
        number: its number among the anchors in use, from 1 on.
        num_items: items that have it in their mix.
        items: those of most weight, the most first.
        genre: the genre most frequent among `items`; "" if genres are not known.
        purity: the share of `items` that have it.
        share: the share of all items that have it.
    """

    number: int
    num_items: int
    items: tuple[Item, ...]
    genre: str
    purity: float
    share: float


def inspect(problem: Problem, state: TrainState, num_items: int) -> list[Anchor]:
    """Looks at each anchor of the items.

    Args:
        problem: the run.
        state: the trained state.
        num_items: items to show of each anchor, at most.

    Raises:
        InputError: if the items have no anchors.
    """
    table = jax.device_get(state.params["items"])
    if "transform" not in table:
        raise InputError(f"{describe(problem.config)} has no anchors; inspect a run of ANT.")
    weights = table["transform"] * np.linalg.norm(table["anchors"], axis=1)  # [V, K]
    active = np.flatnonzero(state.aux["items"]["active"])
    titles = read_titles(problem.ratings.source)
    return inspect_weights(weights[:, active], problem.ratings.item_ids, titles, num_items)


def inspect_weights(
    weights: np.ndarray, ids: Sequence[str], titles: Mapping[str, Title], num_items: int
) -> list[Anchor]:
    """Looks at each anchor of a table.

    Args:
        weights: float [V, K], entries of T times the norms of the anchors.
        ids: of the V items.
        titles: titles and genres by id, of as many items as they are known of.
        num_items: items to show of each anchor, at most.
    """
    shown = [titles.get(name, Title("", ())) for name in ids]
    shares = _genre_shares(shown)
    found = []
    for number, mine in enumerate(weights.T, 1):
        best = [i for i in largest_ids(mine, min(num_items, len(mine))) if mine[i] > 0]
        genres = _genre_shares([shown[i] for i in best])
        genre = max(genres, key=lambda g: (genres[g], g), default="")
        found.append(
            Anchor(
                number=number,
                num_items=int((mine > 0).sum()),
                items=tuple(
                    Item(float(mine[i]), shown[i].name or ids[i], shown[i].genres) for i in best
                ),
                genre=genre,
                purity=genres.get(genre, 0.0),
                share=shares.get(genre, 0.0),
            )
        )
    return found


def format_anchor(anchor: Anchor, num_rows: int) -> str:
    """Writes a line of an anchor and a line of each of its items.

    Args:
        anchor: the anchor.
        num_rows: items in all.
    """
    line = f"anchor {anchor.number}: {anchor.num_items:,} of {num_rows:,} items"
    if anchor.genre:
        line += (
            f"; genre purity {anchor.purity:.2f} {anchor.genre} (of all items {anchor.share:.2f})"
        )
    items = (f"  {i.weight:7.3f}  {i.title}  {'|'.join(i.genres)}" for i in anchor.items)
    return "\n".join((line, *items))


def _genre_shares(titles: list[Title]) -> dict[str, float]:
    """Computes the share of titles that have each genre."""
    genres = sorted({genre for title in titles for genre in title.genres})
    return {g: sum(g in title.genres for title in titles) / len(titles) for g in genres}
