"""Batches of a token stream for truncated backpropagation.

The stream is cut into lanes of equal length that lie side by side in a batch. In each lane a step
goes on where the step before ended, so that recurrent state can be carried. The stream lies on the
device; the host sends positions in it.

Axis letters: B lanes of a batch, T tokens of a lane in one batch.
"""

from typing import Any

import numpy as np

from jaxcompress.data.batches import WHOLE, Feed


def as_stream(splits: dict[str, np.ndarray], end: int) -> tuple[np.ndarray, dict[str, range]]:
    """Joins splits to one stream, an `end` token before each.

    >>> stream, ranges = as_stream({"train": np.array([5, 6]), "test": np.array([7])}, end=0)
    >>> stream.tolist(), ranges
    ([0, 5, 6, 0, 7], {'train': range(1, 3), 'test': range(4, 5)})

    Args:
        splits: ids of tokens, int [tokens], by split.
        end: id of the token that ends a line.

    Returns:
        The stream, int32 [tokens of all splits and an `end` for each]; and for each split the
        positions of its tokens. All of them can be predicted, the first one from the `end` before.
    """
    parts, ranges, start = [], {}, 0
    for name, tokens in splits.items():
        parts.extend((np.array([end]), tokens))
        ranges[name] = range(start + 1, start + 1 + len(tokens))
        start += 1 + len(tokens)
    return np.concatenate(parts).astype(np.int32), ranges


def gather_lanes(stream: Any, index: dict) -> dict:
    """Makes a batch of a token stream, of the indices that the two feeds below make.

    >>> index = {"positions": np.array([[0, 1, 2]]), "mask": np.ones((1, 2), bool),
    ...          "first": np.array([True])}
    >>> batch = gather_lanes(np.array([9, 5, 6, 7]), index)
    >>> batch["inputs"], batch["targets"]
    (array([[9, 5]]), array([[5, 6]]))

    Args:
        stream: int32 [tokens], on the device.
        index: `positions` int32 [B, T + 1]; `mask` bool [B, T]; `first` bool [B].

    Returns:
        `inputs` and `targets` int32 [B, T], a target being the token after its input; `mask` bool
        [B, T], false for targets that do not count; `first` bool [B], true for lanes that begin
        here, whose recurrent state is to be zero.
    """
    tokens = stream[index["positions"]]
    return {
        "inputs": tokens[:, :-1],
        "targets": tokens[:, 1:],
        "mask": index["mask"],
        "first": index["first"],
    }


def steps_per_epoch(tokens: range, num_lanes: int, unroll: int) -> int:
    """Counts the whole batches [num_lanes, unroll] of a split; the rest is not trained on.

    >>> steps_per_epoch(range(1, 24), num_lanes=2, unroll=5)  # lanes of 11 tokens
    2
    """
    return len(tokens) // num_lanes // unroll


def training_lanes(tokens: range, num_lanes: int, unroll: int, rotate: bool = True) -> Feed:
    """Feeds a split's targets without end; lanes begin anew with each epoch.

    Between the end of a lane and the beginning of the next one lie the tokens that fill no whole
    batch. With each epoch all lanes begin as many tokens later as lie there at most, and the split
    goes on with its first token after its last, so that what one epoch leaves out the next ones
    read. There is no seed: an epoch is a function of its number.

    >>> feed = training_lanes(range(1, 12), num_lanes=1, unroll=4)  # of 11 tokens, 3 are left out
    >>> [feed.index(step)["positions"].tolist() for step in (1, 2, 4)]
    [[[4, 5, 6, 7, 8]], [[3, 4, 5, 6, 7]], [[6, 7, 8, 9, 10]]]

    Args:
        tokens: positions of the split's tokens in the stream.
        num_lanes: B.
        unroll: T.
        rotate: whether lanes begin elsewhere in each epoch; else every epoch is the same.
    """
    length, num_steps = len(tokens) // num_lanes, steps_per_epoch(tokens, num_lanes, unroll)
    left_out = len(tokens) - (num_lanes - 1) * length - num_steps * unroll  # after the last lane
    starts = length * np.arange(num_lanes)[:, None] + np.arange(unroll + 1)
    mask = np.ones((num_lanes, unroll), bool)

    def index(step: int, part: slice = WHOLE) -> dict:
        epoch, at = divmod(step, num_steps)
        after_first = starts[part] + at * unroll + rotate * epoch * left_out % len(tokens)
        wrapped = np.where(after_first > len(tokens), after_first - len(tokens), after_first)
        return {
            "positions": (tokens.start - 1 + wrapped).astype(np.int32),
            "mask": mask[part],
            "first": np.full(len(wrapped), at == 0),
        }

    return Feed(index, gather_lanes, num_lanes, unit="tokens", units=num_lanes * unroll)


def evaluation_lanes(tokens: range, num_lanes: int, unroll: int, multiple: int = 1) -> Feed:
    """Feeds every target of a split once.

    Args:
        tokens: positions of the split's tokens in the stream.
        num_lanes: number of lanes that the split is cut into. With 1, the state is carried from the
            first token to the last, which is how the literature's figures are computed.
        unroll: T.
        multiple: B is a multiple of it, `num_lanes` or more; lanes that fill up count nothing.
    """
    length = -(-len(tokens) // num_lanes)
    num_rows = -(-num_lanes // multiple) * multiple
    starts = length * np.arange(num_rows)[:, None]

    def index(i: int, part: slice = WHOLE) -> dict:
        at = i * unroll + np.arange(unroll + 1)
        counted = (starts + at[:-1] < len(tokens)) & (at[:-1] < length)
        counted[num_lanes:] = False
        positions = tokens.start - 1 + np.minimum(starts[part] + at, len(tokens))
        return {
            "positions": positions.astype(np.int32),
            "mask": counted[part],
            "first": np.full(len(positions), i == 0),
        }

    return Feed(index, gather_lanes, num_rows, -(-length // unroll))
