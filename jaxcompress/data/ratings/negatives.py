"""Sampled negatives: pairs that are not in the data, in the place of the ratings that pairs lack.

Axis letters: n pairs, I items.
"""

import numpy as np

from jaxcompress.data.ratings.read import Ratings

_ROUNDS = 20  # after these, a user who has nearly all items may have fewer


def add_negatives(ratings: Ratings, num_negatives: int, seed: int) -> Ratings:
    """Adds ratings of 0 to pairs, which count 1.

    For each pair, items are drawn that its user is not paired with, all of them as likely and each
    once at most; they have the pair's time.

    >>> users, items = np.array([0, 1]), np.array([0, 1])
    >>> pairs = Ratings(users, items, np.ones(2), None, ["u", "v"], ["a", "b"])
    >>> both = add_negatives(pairs, 1, seed=0)
    >>> both.users, both.items, both.values
    (array([0, 1, 0, 1]), array([0, 1, 1, 0]), array([1., 1., 0., 0.]))

    Args:
        ratings: n pairs.
        num_negatives: how many are drawn for each pair; fewer of a user who lacks so many items.
        seed: they are a function of it and of the pairs.
    """
    rng, num_items = np.random.default_rng((seed, 0x4E6)), len(ratings.item_ids)
    taken = np.sort(ratings.users.astype(np.int64) * num_items + ratings.items)
    wanted = np.repeat(np.arange(len(ratings)), num_negatives)  # the pair of each that is drawn
    drawn, of_pair = [], []
    for _ in range(_ROUNDS):
        items = rng.integers(num_items, size=len(wanted))
        found = ratings.users[wanted].astype(np.int64) * num_items + items
        at = np.minimum(np.searchsorted(taken, found), len(taken) - 1)
        is_new = np.zeros(len(found), bool)
        is_new[np.unique(found, return_index=True)[1]] = True
        is_new &= taken[at] != found
        drawn.append(found[is_new])
        of_pair.append(wanted[is_new])
        taken, wanted = np.sort(np.concatenate([taken, drawn[-1]])), wanted[~is_new]
        if not len(wanted):
            break
    pairs, of_pair = np.concatenate(drawn), np.concatenate(of_pair)
    order = np.argsort(of_pair, kind="stable")
    users, items = np.divmod(pairs[order], num_items)
    times = ratings.times
    if times is not None:
        times = np.concatenate([times, times[of_pair[order]]])
    note = f"drew {len(pairs):,} pairs that are not in {ratings.source}, as ratings of 0."
    return Ratings(
        np.concatenate([ratings.users, users.astype(ratings.users.dtype)]),
        np.concatenate([ratings.items, items.astype(ratings.items.dtype)]),
        np.concatenate([ratings.values, np.zeros(len(pairs), ratings.values.dtype)]),
        times,
        ratings.user_ids,
        ratings.item_ids,
        (*ratings.notes, note),
        ratings.source,
        ratings.are_pairs,
    )
