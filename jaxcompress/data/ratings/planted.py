"""Ratings made of planted anchors, so that the right number of anchors is known."""

import numpy as np

from jaxcompress.data.ratings.read import Ratings

PLANTED = "planted"


def planted_ratings(
    num_anchors: int,
    seed: int,
    *,
    num_users: int = 1000,
    num_items: int = 600,
    num_ratings: int = 200_000,
    num_nonzero: int = 3,
    noise: float = 0.2,
) -> Ratings:
    """Makes ratings whose two tables are sparse mixes of as many anchors, and noise.

    Every row has `num_nonzero` entries at least 0; anchors are orthonormal (of as many dimensions
    as there are anchors), mapped from one side to the other by a random rotation. The values have
    standard deviation 1 before the noise.

    Args:
        num_anchors: of users and of items.
        seed: of everything.
        num_users: U.
        num_items: I.
        num_ratings: distinct (user, item) pairs, drawn evenly.
        num_nonzero: entries of a row.
        noise: its standard deviation.
    """
    rng = np.random.default_rng((seed, num_anchors))

    def rows(count: int) -> np.ndarray:
        transform = np.zeros((count, num_anchors))
        for row in transform:
            chosen = rng.permutation(num_anchors)[: min(num_nonzero, num_anchors)]
            row[chosen] = rng.uniform(0.5, 1.5, len(chosen))
        return transform

    rotation = np.linalg.qr(rng.normal(size=(num_anchors, num_anchors)))[0]
    table = rows(num_users) @ rotation @ rows(num_items).T
    pairs = rng.permutation(num_users * num_items)[:num_ratings]
    users, items = np.divmod(pairs.astype(np.int32), np.int32(num_items))
    values = table[users, items] / table.std() + noise * rng.normal(size=len(pairs))
    return Ratings(
        users,
        items,
        values.astype(np.float32),
        np.arange(len(pairs), dtype=np.int64),
        [str(i + 1) for i in range(num_users)],
        [str(i + 1) for i in range(num_items)],
        source=PLANTED,
    )
