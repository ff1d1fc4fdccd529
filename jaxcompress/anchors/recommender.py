"""Predicts ratings by the tables of users and items that a run over ratings leaves; all NumPy.

A rating is predicted as `jaxcompress/ant/model.py` does, from a user's row and an item's row. What
is no row is among the `extras` of the tables: "bias", perhaps "users_bias" and "items_bias", the
layers of a network (He et al., "Neural Collaborative Filtering", WWW 2017, eq. 12), and what each
user has been trained on.

Axis letters: B pairs, U users, I items, D dimensions.
"""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxcompress.errors import InputError
from jaxcompress.storage.ids import largest_ids
from jaxcompress.storage.names import number_rows

SIDES = ("users", "items")
SEEN_COUNTS, SEEN_ITEMS = "seen.counts", "seen.items"  # of each user, and below each other
_MOST_NUMBERS = 1 << 22  # that a network holds at a time


class Recommender:
    """Predictions of a table of parts "users" and "items", a `SparseAnchors`.

    Raises:
        InputError: if the table has no such parts, or lacks what predicts ratings.
    """

    def __init__(self, table: Any):
        self._extras = table.extras
        if set(SIDES) - set(table.parts) or "bias" not in self._extras:
            raise InputError(
                "these tables predict no ratings; expected those of users and items that a run of "
                "train.ant exports."
            )
        self._tables = {side: table.part(side) for side in SIDES}
        self._numbers = {
            side: number_rows(part.words or list(map(str, range(len(part)))))
            for side, part in self._tables.items()
        }
        dense = [name.removesuffix(".kernel") for name in self._extras if name.endswith(".kernel")]
        self._layers = sorted(dense, key=lambda name: int(name.rpartition("_")[2]))

    def predict(self, users: Any, items: Any) -> np.ndarray:
        """See `SparseAnchors.predict`."""
        users, items = np.broadcast_arrays(self._find("users", users), self._find("items", items))
        rows, others = self._rows("users", users.ravel()), self._rows("items", items.ravel())
        found = self._combine(rows, others).reshape(users.shape)
        return found + self._biases("users", users) + self._biases("items", items)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Predicts all items of users: numbers of rows, int [B] -> float32 [B, I]."""
        all_items = np.arange(len(self._tables["items"]))
        rows, others = self._rows("users", users), self._item_rows
        if self._layers:
            width = max(others.shape[1], *(len(self._extras[f"{n}.kernel"]) for n in self._layers))
            step = max(1, _MOST_NUMBERS // (len(others) * width))
            parts = [rows[at : at + step, None] for at in range(0, len(rows), step)]
            found = np.concatenate([self._combine(part, others[None]) for part in parts])
        else:
            found = rows @ others.T
        return found + self._biases("users", users)[:, None] + self._biases("items", all_items)

    def recommend(self, user: Any, k: int, exclude: Iterable[Any]) -> list[tuple[str, float]]:
        """See `SparseAnchors.recommend`."""
        if k < 1:
            raise InputError(f"k is {k}; it must be at least 1.")
        number = self._find("users", user)
        if number.ndim:
            raise InputError(f"user is {user!r}; expected one id.")
        scores = self.scores(number[None])[0]
        scores[self.seen(int(number))] = -np.inf
        for item in exclude:
            if (other := int(self._find("items", item))) >= 0:
                scores[other] = -np.inf
        best = [i for i in largest_ids(scores, min(k, len(scores))) if np.isfinite(scores[i])]
        return [(self._item_names[i], float(scores[i])) for i in best]

    def seen(self, user: int) -> np.ndarray:
        """Gives the items that a user was trained on: a number of a row -> numbers of rows, int."""
        if user < 0 or SEEN_COUNTS not in self._extras:
            return np.array([], np.int64)
        ends = self._seen_ends
        return self._extras[SEEN_ITEMS][ends[user] : ends[user + 1]]

    @functools.cached_property
    def _seen_ends(self) -> np.ndarray:
        return np.append(0, np.cumsum(self._extras[SEEN_COUNTS], dtype=np.int64))

    @functools.cached_property
    def _item_names(self) -> list[str]:
        return list(self._numbers["items"])

    @functools.cached_property
    def _item_rows(self) -> np.ndarray:
        return self._tables["items"].decode()

    def _find(self, side: str, ids: Any) -> np.ndarray:
        """Finds the numbers of rows, of any shape; -1 of ids that are not there."""
        ids = np.asarray(ids)
        if ids.dtype.kind not in "iuUO":
            raise InputError(f"{side} are {ids.dtype}; expected ids as the ratings have them.")
        numbers = self._numbers[side]
        found = [numbers.get(str(name), -1) for name in ids.reshape(-1)]
        return np.array(found, np.int64).reshape(ids.shape)

    def _rows(self, side: str, ids: np.ndarray) -> np.ndarray:
        """Mixes rows: int [B] -> [B, D]; those that are not there are the mean."""
        table = self._tables[side]
        rows = table.decode(np.maximum(ids, 0))
        if (ids < 0).any():
            rows[ids < 0] = table.mean_row()
        return rows

    def _biases(self, side: str, ids: np.ndarray) -> np.ndarray:
        """Takes biases, of users with that of all ratings: int [...] -> float32 [...]."""
        constant = self._extras["bias"] if side == "users" else np.float32(0)
        biases = self._extras.get(f"{side}_bias")
        if biases is None:
            return np.full(ids.shape, constant, np.float32)
        return np.where(ids < 0, np.float32(0), biases[np.maximum(ids, 0)]) + constant

    def _combine(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Makes numbers of rows: [..., D] and [..., D], which are broadcast -> [...]."""
        products = users * items
        if not self._layers:
            return products.sum(axis=-1)
        *hidden_layers, last = self._layers
        dim, out = users.shape[-1], self._extras[f"{last}.kernel"][:, 0]
        if not hidden_layers:
            return products @ out[:dim] + users @ out[dim : 2 * dim] + items @ out[2 * dim :]
        kernel = self._extras[f"{hidden_layers[0]}.kernel"]
        hidden = users @ kernel[:dim] + items @ kernel[dim:]
        for number, name in enumerate(hidden_layers):
            hidden = hidden @ self._extras[f"{name}.kernel"] if number else hidden
            hidden = np.maximum(hidden + self._extras[f"{name}.bias"], 0)
        return products @ out[:dim] + hidden @ out[dim:]
