"""Ratings of items by users, as one data set: ids numbered, each pair once, rare ones left out.

Ids may be anything; they are kept as strings, and rows are numbered in the order of the ids.

Axis letters: n ratings, U users, I items.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxcompress.data.ratings.files import find_ratings, read_columns
from jaxcompress.data.ratings.header import COLUMNS
from jaxcompress.data.ratings.layout import check_columns
from jaxcompress.errors import InputError

_CHUNK = 1 << 20  # ratings that are looked through at a time


class Ratings(NamedTuple):
    """n ratings of distinct (user, item) pairs, in the order of the file.

    Attributes:
        users: int32 [n], row numbers of users in [0, U).
        items: int32 [n], row numbers of items in [0, I).
        values: float32 [n], finite; 1 if they are pairs.
        times: int64 [n], seconds; None: they were not asked for.
        user_ids: the U ids of users, as the file has them, by row number.
        item_ids: the I ids of items, by row number.
        notes: lines for the user about ratings that were left out.
        source: what was read, or the name of what was made.
        are_pairs: whether there are no ratings, only pairs of a user and an item, each of which
            counts 1: implicit feedback.
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    times: np.ndarray | None
    user_ids: list[str]
    item_ids: list[str]
    notes: tuple[str, ...] = ()
    source: str = ""
    are_pairs: bool = False

    def __len__(self) -> int:
        """Counts the ratings; `_replace`, which counts the fields by it, is of no use here."""
        return len(self.values)


def read_ratings(
    path: str,
    *,
    columns: Sequence[str] = COLUMNS,
    min_count: int = 1,
    with_times: bool = False,
) -> Ratings:
    """Reads a file of ratings, or all files of a folder as one data set.

    If a (user, item) pair comes more than once, its last rating is kept. If there is no column of
    ratings, each pair counts 1. Ratings whose user or item is blank are left out.

    Args:
        path: a file (plain, .gz or in a .zip) separated by `::`, tab, semicolon or comma; or a
            folder with MovieLens's `ratings.dat`, `ratings.csv` or `u.data`, or else with any
            number of .csv files.
        columns: what the columns are, if there is no header that says so: all of them in order; or
            what a header calls them, as in `user=User-ID`. Without a rating they are pairs.
        min_count: the least number of ratings of a user and of an item. Those with fewer are left
            out, again and again until none is left that has fewer (the k-core).
        with_times: whether to read timestamps too.

    Raises:
        InputError: if there is no such path or it does not hold ratings: with file, line, and what
            was expected.
    """
    check_columns(columns)
    ratings = _join(path, columns, with_times)
    users, items, num_items = ratings.users, ratings.items, len(ratings.item_ids)
    is_blank = _is_blank(ratings.user_ids)[users] | _is_blank(ratings.item_ids)[items]
    last = _last_of_each(users, items, num_items) & ~is_blank
    if not last.any():
        raise InputError(f"{ratings.source}: all users or all items are blank; expected ids.")
    kept = _core(users, items, last, min_count) if min_count > 1 else last
    if not kept.any():
        raise InputError(
            f"{ratings.source}: no ratings are left with data.min_count = {min_count}; lower it."
        )
    if kept.all():
        return ratings
    notes = list(ratings.notes)
    for without, reason in (
        (is_blank, "their user or item is blank."),
        (~(last | is_blank), "their user and item come again later, and the last rating is kept."),
        (last & ~kept, f"their user or item has fewer than {min_count} of them."),
    ):
        if count := np.count_nonzero(without):
            notes.append(f"left out {count:,} of {len(ratings):,} ratings: {reason}")
    return _keep(ratings, kept, tuple(notes))


def _join(path: str, columns: Sequence[str], with_times: bool) -> Ratings:
    """Reads all files at a path as one data set, and numbers the ids."""
    files, source = find_ratings(path)
    parts = [read_columns(file, columns, with_times) for file in files]
    from jaxcompress.data.ratings.parse import number_ids  # here, since it needs pyarrow

    users, user_ids = number_ids([part.users for part in parts])
    items, item_ids = number_ids([part.items for part in parts])
    times = np.concatenate([part.times for part in parts]) if with_times else None
    are_pairs, notes = [part.values is None for part in parts], []
    if all(are_pairs):
        values = np.ones(len(users), np.float32)
        notes.append(
            f"{source} has no column of ratings: each of the {len(users):,} pairs counts 1."
        )
    elif any(are_pairs):
        has, lacks = (files[are_pairs.index(some)] for some in (False, True))
        raise InputError(
            f"{lacks}: no column rating, and {has} has one; expected it in all files or in none."
        )
    else:
        values = np.concatenate([part.values for part in parts])
    return Ratings(
        users, items, values, times, user_ids, item_ids, tuple(notes), str(source), all(are_pairs)
    )


def _is_blank(ids: list[str]) -> np.ndarray:
    """Tells which ids are missing: nothing, or white space."""
    return np.array([not some.strip() for some in ids])


def _last_of_each(users: np.ndarray, items: np.ndarray, num_items: int) -> np.ndarray:
    """Tells which ratings are the last ones of their user and item, bool [n]."""
    in_order = _pairs(users, items, num_items)
    in_order.sort()
    repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    del in_order
    is_last = np.ones(len(users), bool)
    if not len(repeated):
        return is_last
    found = []  # in chunks: far less memory than an order of all ratings
    for start in range(0, len(users), _CHUNK):
        part = slice(start, start + _CHUNK)
        pairs = _pairs(users[part], items[part], num_items)
        at = np.minimum(np.searchsorted(repeated, pairs), len(repeated) - 1)
        found.append(start + np.flatnonzero(repeated[at] == pairs))
    positions = np.concatenate(found)
    pairs = _pairs(users[positions], items[positions], num_items)
    last = dict(zip(pairs, positions, strict=True))  # a later position takes an earlier one's place
    is_last[positions] = False
    is_last[list(last.values())] = True
    return is_last


def _pairs(users: np.ndarray, items: np.ndarray, num_items: int) -> np.ndarray:
    """Gives each (user, item) a number of its own, int64 [n]."""
    return users.astype(np.int64) * num_items + items


def _core(users: np.ndarray, items: np.ndarray, kept: np.ndarray, min_count: int) -> np.ndarray:
    """Tells which of the ratings `kept` stay if every user and item must have `min_count` of them.

    users and items int32 [n], kept bool [n] -> bool [n].
    """
    while kept.any():
        often = np.bincount(users[kept], minlength=users.max() + 1) >= min_count
        liked = np.bincount(items[kept], minlength=items.max() + 1) >= min_count
        left = kept & often[users] & liked[items]
        if (left == kept).all():
            break
        kept = left
    return kept


def _keep(ratings: Ratings, kept: np.ndarray, notes: tuple[str, ...]) -> Ratings:
    """Leaves out all ratings but those `kept`, bool [n], and users and items without any."""
    users, user_ids = _close_gaps(ratings.users[kept], ratings.user_ids)
    items, item_ids = _close_gaps(ratings.items[kept], ratings.item_ids)
    times = None if ratings.times is None else ratings.times[kept]
    values = ratings.values[kept]
    return Ratings(
        users, items, values, times, user_ids, item_ids, notes, ratings.source, ratings.are_pairs
    )


def _close_gaps(rows: np.ndarray, ids: list[str]) -> tuple[np.ndarray, list[str]]:
    """Numbers rows anew if some of the ids have none; returns the rows and their ids."""
    is_there = np.bincount(rows, minlength=len(ids)) > 0
    if is_there.all():
        return rows, ids
    number = (np.cumsum(is_there) - 1).astype(np.int32)
    return number[rows], [ids[i] for i in np.flatnonzero(is_there)]
