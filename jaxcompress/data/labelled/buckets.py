"""Batches of texts of about one length, so that little of a batch is padding.

A batch is padded to a multiple of `width` tokens, and a program is compiled for each such length.
Which texts step `s` sees is a function of (seed, s) alone.

Axis letters: N texts, B texts of a batch, T tokens of the longest of them, rounded up.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.data.batches import WHOLE, Feed

_POOL = 50  # batches whose texts are sorted together: little padding, and still random


class TextSpans(NamedTuple):
    """Where N texts lie in one array of tokens.

    Attributes:
        starts: int32 [N], the position of each text's first token.
        lengths: int32 [N], tokens, at least 1.
        labels: int32 [N], the class of each text.
    """

    starts: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray

    def take(self, ids: np.ndarray) -> "TextSpans":
        """Takes some of the texts, int [n]."""
        return TextSpans(self.starts[ids], self.lengths[ids], self.labels[ids])


def cut_texts(bounds: np.ndarray, labels: np.ndarray, max_tokens: int, keep: str) -> TextSpans:
    """Cuts texts to `max_tokens`.

    >>> cut_texts(np.array([0, 2, 7]), np.array([0, 1]), max_tokens=3, keep="last").starts
    array([0, 4], dtype=int32)

    Args:
        bounds: int [N + 1]: text i holds the tokens from `bounds[i]` to `bounds[i + 1]`.
        labels: int [N].
        max_tokens: tokens that are kept of a text, at most.
        keep: which of them: the "first" or the "last".
    """
    lengths = np.minimum(np.diff(bounds), max_tokens)
    starts = bounds[:-1] if keep == "first" else bounds[1:] - lengths
    return TextSpans(*(np.asarray(column, np.int32) for column in (starts, lengths, labels)))


def gather_texts(tokens: Any, index: dict) -> dict:
    """Makes a batch of texts, of the indices that the two feeds below make.

    Args:
        tokens: ids of words, a JAX array [tokens], on the device.
        index: `positions` int32 [B, T] in it; `lengths` and `labels` int32 [B]; `mask` bool [B].

    Returns:
        `ids` [B, T], of any value behind a text's end; `lengths`, at least 1 and at most T,
        `labels`, and `mask`, false for texts that fill up a batch, as they are in the index.
    """
    ids = tokens.at[index["positions"]].get(mode="clip")
    return {**{k: v for k, v in index.items() if k != "positions"}, "ids": ids}


def steps_per_epoch(num_texts: int, batch_size: int) -> int:
    """Counts the whole batches of an epoch; the texts left over differ from epoch to epoch.

    >>> steps_per_epoch(11, batch_size=3)
    3
    """
    return num_texts // batch_size


def shuffled_texts(
    texts: TextSpans, batch_size: int, width: int, seed: int, gather: Callable[[Any, dict], dict]
) -> Feed:
    """Feeds texts without end, in batches that are composed and ordered anew in each epoch.

    Steps have different T, so that they cannot share a dispatch.

    Args:
        texts: the N texts to train on.
        batch_size: B, at most N.
        width: T is a multiple of it.
        seed: the order is a function of (seed, epoch).
        gather: the feed's `gather`: `gather_texts`, or a function that calls it.
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

    def index(step: int, part: slice = WHOLE) -> dict:
        epoch, at = divmod(step, num_steps)
        return _index(texts, order(epoch)[at], batch_size, width, part)

    return Feed(index, gather, batch_size, unit="texts")


def texts_by_length(
    texts: TextSpans, batch_size: int, width: int, gather: Callable[[Any, dict], dict]
) -> Feed:
    """Feeds every text once, the shortest first; the mask tells what fills up the last batch.

    The arguments are those of `shuffled_texts`.
    """
    ids = np.argsort(texts.lengths, kind="stable")

    def index(i: int, part: slice = WHOLE) -> dict:
        some = ids[i * batch_size : (i + 1) * batch_size]
        return _index(texts, some, batch_size, width, part)

    return Feed(index, gather, batch_size, -(-len(ids) // batch_size), unit="texts")


def _index(texts: TextSpans, ids: np.ndarray, batch_size: int, width: int, part: slice) -> dict:
    """Makes a part of the index of some texts, at most B, repeated until there are B.

    T is that of the whole batch, so that all parts of it have one shape.
    """
    some = texts.take(np.resize(ids, batch_size))
    num_tokens = -(-int(some.lengths.max()) // width) * width
    return {
        "positions": some.starts[part, None] + np.arange(num_tokens, dtype=np.int32),
        "lengths": some.lengths[part],
        "labels": some.labels[part],
        "mask": np.arange(batch_size)[part] < len(ids),
    }
