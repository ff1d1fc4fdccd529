"""What the ratings say of a table before training: its first values, and which entries are exempt.

Anchors start at random, as the most frequent rows, or as centres of clusters. What is made here
takes the place of the random values that the modules draw.

Axis letters: V rows, K anchors that there is room for, D dimensions.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.cluster.vq

from jaxcompress.anchors.table import TRANSFORM_SCALE
from jaxcompress.ant.config import Config
from jaxcompress.ant.model import SIDES
from jaxcompress.data.paths import find_file
from jaxcompress.data.ratings.pairs import read_pairs
from jaxcompress.data.ratings.read import Ratings
from jaxcompress.errors import InputError

NEVER = np.iinfo(np.int32).max  # a step that no run reaches


class Start(NamedTuple):
    """One side's table before training.

    Attributes:
        counts: int [V], training ratings of each row; of a stream, those of its first window.
        first_steps: int [V], the step from which on a row has training ratings; 2^31 - 1 if never.
        num_active: anchors in use at first; of a dense table, D.
        params: first values in the place of random ones, by name.
        exempt: bool [V, K], entries that are not penalised; None: there are none.
        shrinkage: what draws biases to 0, in ratings.
    """

    counts: np.ndarray
    first_steps: np.ndarray
    num_active: int
    params: dict[str, np.ndarray]
    exempt: np.ndarray | None = None
    shrinkage: float = 0.0


def num_anchors(config: Config, side: str) -> int:
    """Says how many anchors a side has; of NBANT, how many it starts with."""
    return config.model.user_anchors if side == "users" else config.model.item_anchors


def max_anchors(config: Config, side: str) -> int:
    """Says how many anchors a side's table has room for: K."""
    return config.growth.max_anchors if config.growth.enabled else num_anchors(config, side)


def check_anchors(config: Config, ratings: Ratings) -> None:
    """Raises InputError if a table of anchors has more of them than rows, or than room."""
    if config.model.table != "anchors":
        return
    fields = {"users": "user_anchors", "items": "item_anchors"}
    for side, names in (("users", ratings.user_ids), ("items", ratings.item_ids)):
        count, room, field = num_anchors(config, side), max_anchors(config, side), fields[side]
        if count > len(names):
            raise InputError(
                f"model.{field} is {count}; there are {len(names)} {side}, expected at least as "
                "many as anchors."
            )
        if count > room:
            raise InputError(f"model.{field} is {count}; growth.max_anchors is {room}.")


def make_start(
    config: Config,
    ratings: Ratings,
    side: str,
    counts: np.ndarray,
    first_steps: np.ndarray,
    dense_rows: np.ndarray | None,
    say: Callable[[str], None],
) -> Start:
    """Makes the start of one side.

    Args:
        config: anchors and how they start.
        ratings: the ids of its rows.
        side: "users" or "items".
        counts: int [V], training ratings of each row.
        first_steps: int [V], see `Start`.
        dense_rows: [V, D], rows of a dense run, for anchors from clusters; else None.
        say: takes a line for the user.
    """
    model = config.model
    if model.table != "anchors":
        return Start(counts, first_steps, model.latent_dim, {})
    count, room = num_anchors(config, side), max_anchors(config, side)
    rng = np.random.default_rng((config.seed, SIDES.index(side)))
    params, exempt = {}, None
    if model.anchor_init == "clusters":
        params = _from_clusters(rng, dense_rows, counts > 0, count, room, config.seed)
    elif model.anchor_init == "frequency":
        frequent = np.argsort(-counts, kind="stable")[:count]
        params = _from_rows(rng, len(counts), frequent, room)
        related = {"users": config.data.related_users, "items": config.data.related_items}
        if path := related[side]:
            names = {"users": ratings.user_ids, "items": ratings.item_ids}[side]
            exempt = _related(path, names, frequent, room, say)
    return Start(counts, first_steps, count, params, exempt)


def _random_transform(rng: np.random.Generator, num_rows: int, room: int) -> np.ndarray:
    return TRANSFORM_SCALE * np.abs(rng.normal(size=(num_rows, room)))


def _from_rows(rng, num_rows: int, frequent: np.ndarray, room: int) -> dict[str, np.ndarray]:
    """Makes each of the most frequent rows an anchor: its row of T is a unit vector."""
    transform = _random_transform(rng, num_rows, room)
    transform[frequent] = 0.0
    transform[frequent, np.arange(len(frequent))] = 1.0
    return {"transform": transform.astype(np.float32)}


def _from_clusters(
    rng: np.random.Generator, dense_rows: np.ndarray, seen: np.ndarray, count: int, room: int,
    seed: int,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Makes the centres of clusters of dense rows anchors; a row is its centre and a little more.

    Args:
        rng: draws all other values.
        dense_rows: [V, D].
        seen: bool [V], rows with training ratings; the others are not clustered.
        count: clusters.
        room: K.
        seed: seed of the clustering.
    """
    transform = _random_transform(rng, len(dense_rows), room)
    rows = dense_rows[seen]
    if len(rows) < count:
        raise InputError(
            f"{count} anchors from clusters, and {len(rows)} rows that are rated when training "
            "starts; expected at least as many. Lower the number of anchors."
        )
    centers, labels = scipy.cluster.vq.kmeans2(rows, count, minit="++", seed=seed)
    transform[np.flatnonzero(seen), labels] += 1.0
    anchors = rng.normal(size=(room, rows.shape[1])) * rows.std()
    anchors[:count] = centers
    return {"transform": transform.astype(np.float32), "anchors": anchors.astype(np.float32)}


def _related(
    path: str, names: list[str], anchors: np.ndarray, room: int, say: Callable[[str], None]
) -> np.ndarray:
    """Marks entries of T whose row and anchor are a pair of the file, bool [V, K]."""
    file = find_file(path, "Expected a file with two ids a line.")
    rows = {name: i for i, name in enumerate(names)}
    columns = {int(row): k for k, row in enumerate(anchors)}
    exempt, unknown = np.zeros((len(names), room), bool), 0
    for _, pair in read_pairs(file):
        if not all(name in rows for name in pair):
            unknown += 1
            continue
        for a, b in (pair, pair[::-1]):
            if rows[b] in columns:
                exempt[rows[a], columns[rows[b]]] = True
    say(f"{int(exempt.sum()):,} entries are exempt from the penalty by {file}")
    if unknown:
        say(f"note: {unknown:,} pairs of {file} name ids that have no ratings.")
    return exempt
