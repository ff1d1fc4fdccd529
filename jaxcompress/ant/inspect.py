"""What anchors stand for: the items and users of most weight, and the genres of the items."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.ant.config import describe
from jaxcompress.ant.model import SIDES, masks_of
from jaxcompress.ant.prepare import Problem
from jaxcompress.data.ratings.titles import Title, read_titles
from jaxcompress.engine.task import TrainState
from jaxcompress.errors import InputError
from jaxcompress.storage.ids import largest_ids


class Item(NamedTuple):
    """An item of an anchor.

    Attributes:
        weight: its entry of T times the norm of the anchor; of an anchor of users, by how much the
            anchor raises its rating.
        title: its title; its id if no titles are known.
        genres: its genres, perhaps none.
    """

    weight: float
    title: str
    genres: tuple[str, ...]


class Anchor(NamedTuple):
    """What an anchor stands for.

    Attributes:
        number: its number among the anchors of its side in use, from 1 on.
        num_items: items that have it in their mix; of an anchor of users, users.
        items: those of most weight, the most first; of an anchor of users, the items whose ratings
            it raises most, none if a network stands between.
        genre: the genre most frequent among `items`; "" if genres are not known.
        purity: the share of `items` that have it.
        share: the share of all items that have it.
        users: of an anchor of users, ids of those of most weight, the most first.
    """

    number: int
    num_items: int
    items: tuple[Item, ...]
    genre: str
    purity: float
    share: float
    users: tuple[str, ...] = ()


def inspect(problem: Problem, state: TrainState, num_items: int, side: str) -> list[Anchor]:
    """Looks at each anchor of a side.

    Args:
        problem: the run.
        state: the trained state.
        num_items: items, and users, to show of each anchor, at most.
        side: "users" or "items".

    Raises:
        InputError: if the tables have no anchors.
    """
    params, aux = jax.device_get((state.params, state.aux))
    if side not in SIDES:
        raise InputError(f"side is {side!r}; it must be one of {', '.join(SIDES)}.")
    if "transform" not in params[side]:
        raise InputError(f"{describe(problem.config)} has no anchors; inspect a run of ANT.")
    anchors = params[side]["anchors"]
    weights = params[side]["transform"] * np.linalg.norm(anchors, axis=1)  # [V, K]
    active = np.flatnonzero(aux[side]["active"])
    weights, ratings = weights[:, active], problem.ratings
    titles = read_titles(ratings.source)
    if side == "items":
        return inspect_weights(weights, ratings.item_ids, titles, num_items)
    raised = None
    if problem.config.model.network == "product":
        rows = problem.model.apply({"params": params}, "items", masks_of(aux), method="rows")
        raised = np.asarray(rows) @ anchors[active].T
    return inspect_users(weights, ratings.user_ids, raised, ratings.item_ids, titles, num_items)


def inspect_weights(
    weights: np.ndarray, ids: Sequence[str], titles: Mapping[str, Title], num_items: int
) -> list[Anchor]:
    """Looks at each anchor of items.

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


def inspect_users(
    weights: np.ndarray,
    users: Sequence[str],
    raised: np.ndarray | None,
    items: Sequence[str],
    titles: Mapping[str, Title],
    num_items: int,
) -> list[Anchor]:
    """Looks at each anchor of users: whose mix it is in, and which items these like for it.

    Args:
        weights: float [U, K], entries of T times the norms of the anchors.
        users: ids of the U users.
        raised: float [I, K], by how much a whole anchor raises the rating of each item; None: that
            is not known.
        items: ids of the I items.
        titles: titles and genres of items by id.
        num_items: items and users to show of each anchor, at most.
    """
    if raised is None:
        raised = np.zeros((len(items), weights.shape[1]), np.float32)
    found = []
    liked = inspect_weights(raised, items, titles, num_items)
    for anchor, mine in zip(liked, weights.T, strict=True):
        best = [i for i in largest_ids(mine, min(num_items, len(mine))) if mine[i] > 0]
        names = tuple(users[i] for i in best)
        found.append(anchor._replace(num_items=int((mine > 0).sum()), users=names))
    return found


def format_anchor(anchor: Anchor, num_rows: int, side: str) -> str:
    """Writes a line of an anchor and a line of each of its items.

    Args:
        anchor: the anchor.
        num_rows: rows of its side in all.
        side: "users" or "items".
    """
    line = f"anchor {anchor.number}: {anchor.num_items:,} of {num_rows:,} {side}"
    if anchor.genre:
        line += (
            f"; genre purity {anchor.purity:.2f} {anchor.genre} (of all items {anchor.share:.2f})"
        )
    items = (f"  {i.weight:7.3f}  {i.title}  {'|'.join(i.genres)}" for i in anchor.items)
    users = [f"  users of most weight: {', '.join(anchor.users)}"] if anchor.users else []
    return "\n".join((line, *users, *items))


def _genre_shares(titles: list[Title]) -> dict[str, float]:
    """Computes the share of titles that have each genre."""
    genres = sorted({genre for title in titles for genre in title.genres})
    return {g: sum(g in title.genres for title in titles) / len(titles) for g in genres}
