"""The simplest predictions: a constant, item means, and biases of users and items.

Every table of this method shows them, and tables of rows are learned on top of the biases. A mean
is drawn to 0 as if by so many further ratings of none, its shrinkage, as in Koren & Bell, "Advances
in Collaborative Filtering", Recommender Systems Handbook, 2011, section 5.2; shrinkages are chosen
on validation ratings. All of it is NumPy.

Axis letters: n ratings, U users, I items.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.data.ratings.batches import first_parts
from jaxcompress.data.ratings.read import Ratings

SHRINKAGES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # that are tried
CONSTANT, ITEM_MEANS, BIASES = "constant", "item means", "user and item biases"  # as tables say
_ROUNDS = 8  # of users in turn with items
_NONE = math.inf  # the shrinkage that leaves nothing


class Effects(NamedTuple):
    """What users and items add to a constant.

    Attributes:
        constant: the mean of the ratings.
        users: float64 [U], 0 where there is no rating.
        items: float64 [I], likewise.
        shrinkages: of users and of items, in ratings.
    """

    constant: float
    users: np.ndarray
    items: np.ndarray
    shrinkages: tuple[float, float]

    def mse(self, ratings: Ratings, positions: np.ndarray) -> float:
        """Computes the mean squared error of the ratings at these positions."""
        found = self.users[ratings.users[positions]] + self.items[ratings.items[positions]]
        return float(np.square(found + self.constant - ratings.values[positions]).mean())

    def num_parameters(self) -> int:
        """Counts the numbers that are not 0."""
        return 1 + int(np.count_nonzero(self.users) + np.count_nonzero(self.items))


def fit_effects(
    ratings: Ratings, positions: np.ndarray, shrinkages: tuple[float, float]
) -> Effects:
    """Fits effects: `sum (c + a_u + b_i - r)^2 + shrinkage_u sum a_u^2 + shrinkage_i sum b_i^2`.

    The constant c is the mean; items and users are solved for in turn.

    >>> users, items = np.array([0, 1]), np.array([0, 0])
    >>> ratings = Ratings(users, items, np.array([1.0, 3.0]), None, ["u", "v"], ["a"])
    >>> fit_effects(ratings, np.arange(2), (1.0, math.inf)).users
    array([-0.5,  0.5])

    Args:
        ratings: the ratings.
        positions: int [n], of those to fit to.
        shrinkages: of users and of items; infinite: they have no effect.
    """
    users, items = ratings.users[positions], ratings.items[positions]
    values = ratings.values[positions].astype(np.float64)
    constant = float(values.mean())
    values = values - constant
    of_users, of_items = np.zeros(len(ratings.user_ids)), np.zeros(len(ratings.item_ids))
    has_both = _NONE not in shrinkages
    for _ in range(_ROUNDS if has_both else 1):
        of_items = _means(items, values - of_users[users], len(of_items), shrinkages[1])
        of_users = _means(users, values - of_items[items], len(of_users), shrinkages[0])
    return Effects(constant, of_users, of_items, shrinkages)


def _means(rows: np.ndarray, values: np.ndarray, num_rows: int, shrinkage: float) -> np.ndarray:
    """Computes the shrunk mean of each row's values, 0 of rows without any: [V]."""
    counts = np.bincount(rows, minlength=num_rows)
    sums = np.bincount(rows, values, minlength=num_rows)
    return sums / np.where(counts > 0, counts + shrinkage, 1.0)


def choose_effects(ratings: Ratings, train: np.ndarray, valid: np.ndarray) -> dict[str, Effects]:
    """Fits the three simplest predictions, with the shrinkages of least validation error.

    Returns:
        `CONSTANT`, `ITEM_MEANS` and `BIASES`, fitted to the training ratings.
    """

    def best(choices: Sequence[tuple[float, float]]) -> Effects:
        fits = [fit_effects(ratings, train, choice) for choice in choices]
        return min(fits, key=lambda fit: fit.mse(ratings, valid))

    item_means = best([(_NONE, of_items) for of_items in SHRINKAGES])
    of_items = item_means.shrinkages[1]
    of_users = best([(some, of_items) for some in SHRINKAGES]).shrinkages[0]
    return {
        CONSTANT: fit_effects(ratings, train, (_NONE, _NONE)),
        ITEM_MEANS: item_means,
        BIASES: best([(of_users, some) for some in SHRINKAGES]),
    }


def rows_of(
    effects: dict[str, Effects], ratings: Ratings, splits: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Makes a row of figures of each, as tables show them beside a run's."""
    return [
        {
            "method": name,
            "test_mse": fit.mse(ratings, splits["test"]),
            "valid_mse": fit.mse(ratings, splits["valid"]),
            "parameters": fit.num_parameters(),
        }
        for name, fit in effects.items()
    ]


def of_first_window(ratings: Ratings, window: np.ndarray) -> dict[str, Effects]:
    """Fits what is known when a stream starts: shrinkages are chosen on the window's last tenth."""
    cut = max(1, len(window) - len(window) // 10)
    chosen = choose_effects(ratings, window[:cut], window[cut:] if cut < len(window) else window)
    return {name: fit_effects(ratings, window, fit.shrinkages) for name, fit in chosen.items()}


def of_windows(ratings: Ratings, windows: Sequence[np.ndarray]) -> Iterator[dict[str, Effects]]:
    """Yields fits to all windows so far, after each but the last.

    Shrinkages are those of least error on each window before it had come, so that nothing looks
    ahead.

    Args:
        ratings: the ratings.
        windows: positions of ratings in order of time.
    """
    fits = of_first_window(ratings, windows[0])
    for number in range(1, len(windows)):
        yield fits
        before = np.concatenate(windows[:number])
        chosen = choose_effects(ratings, before, windows[number])
        past = np.concatenate([before, windows[number]])
        fits = {name: fit_effects(ratings, past, fit.shrinkages) for name, fit in chosen.items()}


def next_window_errors(
    ratings: Ratings, windows: Sequence[np.ndarray]
) -> Iterator[dict[str, float]]:
    """Yields the errors on each window but the first, of fits to all windows before it."""
    for fits, window in zip(of_windows(ratings, windows), windows[1:], strict=True):
        yield {name: fit.mse(ratings, window) for name, fit in fits.items()}


def new_users(ratings: Ratings, windows: Sequence[np.ndarray]) -> list[float]:
    """Computes the share of each window's ratings that are by users of no window before it.

    >>> ratings = Ratings(np.array([0, 0, 1, 0]), *[None] * 3, ["u", "v"], [])
    >>> new_users(ratings, [np.array([0, 1]), np.array([2, 3])])
    [1.0, 0.5]
    """
    first = first_parts(ratings.users, list(windows), len(ratings.user_ids))
    return [float((first[ratings.users[part]] == i).mean()) for i, part in enumerate(windows)]
