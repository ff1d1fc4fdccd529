"""Batches of texts of about one length, so that little of a batch is padding.

A batch is padded to a multiple of `width` tokens: as many programs are compiled as there are such
lengths. Which texts step `s` sees is a function of (seed, s) alone.

Axis letters: N texts, B texts of a batch, T tokens of its longest, rounded up.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.data.batches import Feed

_POOL = 50  # batches whose texts are sorted together: little padding, and still random


class TextSpans(NamedTuple):
    """Where texts lie in one array of tokens.

    Attributes:
        starts: int32 [N].
        lengths: int32 [N], at least 1.
        labels: int32 [N].
    """

    starts: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray

    def take(self, ids: np.ndarray) -> "TextSpans":
        """Some of the texts."""
        return TextSpans(self.starts[ids], self.lengths[ids], self.labels[ids])


def cut_texts(bounds: np.ndarray, labels: np.ndarray, max_tokens: int, keep: str) -> TextSpans:
    """Cuts texts to `max_tokens`.

    Args:
        bounds: int [N + 1]: text i holds the tokens from `bounds[i]` to `bounds[i + 1]`.
        labels: int [N].
        max_tokens: of a text.
        keep: which of them: the "first" or the "last".
    """
    lengths = np.minimum(np.diff(bounds), max_tokens)
    starts = bounds[:-1] if keep == "first" else bounds[1:] - lengths
    return TextSpans(*(np.asarray(column, np.int32) for column in (starts, lengths, labels)))


def gather_texts(tokens: Any, index: dict) -> dict:
    """Makes `ids` int [B, T]; `lengths`, `labels`, `mask` [B] are passed on.

    What lies behind a text's end is padding, of any value.
    """
    ids = tokens.at[index["positions"]].get(mode="clip")
    return {**{k: v for k, v in index.items() if k != "positions"}, "ids": ids}


def steps_per_epoch(num_texts: int, batch_size: int) -> int:
    """Whole batches; what is left over, other texts in each epoch, is not seen in it."""
    return num_texts // batch_size


def shuffled_texts(
    texts: TextSpans, batch_size: int, width: int, seed: int, gather: Callable
) -> Feed:
    """Endless batches, composed and ordered anew in each epoch.

    Args:
        texts: to train on.
        batch_size: B.
        width: T is a multiple of it.
        seed: the order is a function of (seed, epoch).
        gather: of the feed; what `gather_texts` does, and perhaps more.
    """
    num_steps, orders = steps_per_epoch(len(texts.starts), batch_size), {}

    def order(epoch: int) -> np.ndarray:
        if epoch not in orders:
            orders.clear()
            rng = np.random.default_rng((seed, epoch))
            ids = rng.permutation(len(texts.starts))[: num_steps * batch_size]
            pool = _POOL * batch_size
            pools = [ids[i : i + pool] for i in range(0, len(ids), pool)]
            by_length = [p[np.argsort(texts.lengths[p], kind="stable")] for p in pools]
            batches = np.concatenate(by_length).reshape(num_steps, batch_size)
            orders[epoch] = rng.permutation(batches)
        return orders[epoch]

    def index(step: int) -> dict:
        epoch, at = divmod(step, num_steps)
        return _index(texts, order(epoch)[at], batch_size, width)

    return Feed(index, gather, batch_size, unit="texts")


def texts_by_length(texts: TextSpans, batch_size: int, width: int, gather: Callable) -> Feed:
    """Every text once, the shortest first; the last batch is filled up, its mask says where."""
    ids = np.argsort(texts.lengths, kind="stable")

    def index(i: int) -> dict:
        part = ids[i * batch_size : (i + 1) * batch_size]
        return _index(texts, part, batch_size, width)

    return Feed(index, gather, batch_size, -(-len(ids) // batch_size), unit="texts")


def _index(texts: TextSpans, ids: np.ndarray, batch_size: int, width: int) -> dict:
    some = texts.take(np.resize(ids, batch_size))
    time = -(-int(some.lengths.max()) // width) * width
    return {
        "positions": some.starts[:, None] + np.arange(time, dtype=np.int32),
        "lengths": some.lengths,
        "labels": some.labels,
        "mask": np.arange(batch_size) < len(ids),
    }
