"""Ratings made of planted anchors, so that the right number of anchors is known.

Axis letters: U users, I items, K anchors.
"""

import numpy as np

from jaxcompress.data.ratings.read import Ratings

PLANTED = "planted"  # as a path of ratings, it asks for these


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
    """Makes ratings that are products of two tables, each of sparse mixes of K anchors, and noise.

    A row of either table mixes `num_nonzero` anchors with weights from 0.5 to 1.5. The anchors of
    both tables are orthonormal, in K dimensions; a random rotation leads from one side's to the
    other's. Without noise, the ratings of all pairs have standard deviation 1.

    Args:
        num_anchors: K, for users and for items.
        seed: the ratings are a function of it and of K.
        num_users: U.
        num_items: I.
        num_ratings: number of distinct (user, item) pairs, each as likely as any other.
        num_nonzero: number of anchors that a row mixes.
        noise: standard deviation of what is added to each rating.
    """
    rng = np.random.default_rng((seed, num_anchors))
    num_mixed = min(num_nonzero, num_anchors)
    rotation = np.linalg.qr(rng.normal(size=(num_anchors, num_anchors)))[0]
    user_mixes = _sparse_mixes(rng, num_users, num_anchors, num_mixed)
    item_mixes = _sparse_mixes(rng, num_items, num_anchors, num_mixed)
    table = user_mixes @ rotation @ item_mixes.T
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


def _sparse_mixes(
    rng: np.random.Generator, num_rows: int, num_anchors: int, num_mixed: int
) -> np.ndarray:
    """Draws rows with `num_mixed` entries from 0.5 to 1.5 and zeros: [rows, K]."""
    transform = np.zeros((num_rows, num_anchors))
    for row in transform:
        chosen = rng.permutation(num_anchors)[:num_mixed]
        row[chosen] = rng.uniform(0.5, 1.5, len(chosen))
    return transform
