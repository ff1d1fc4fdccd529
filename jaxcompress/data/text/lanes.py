"""Batches of a token stream for truncated backpropagation.

The stream is cut into lanes of equal length that lie side by side in a batch; step after step goes
on in every lane where the step before ended, so that recurrent state can be carried. The host sends
positions, the stream lies on the device.

Axis letters: B lanes, T tokens of a lane in one batch.
"""

from typing import Any

import numpy as np

from jaxcompress.data.batches import Feed


def as_stream(splits: dict[str, np.ndarray], end: int) -> tuple[np.ndarray, dict[str, range]]:
    """Joins splits to one int32 stream, an `end` token before each.

    Returns:
        The stream, and for each split the positions of its tokens: all of them can be predicted,
        the first one from the `end` before it.
    """
    parts, ranges, start = [], {}, 0
    for name, tokens in splits.items():
        parts.extend((np.array([end]), tokens))
        ranges[name] = range(start + 1, start + 1 + len(tokens))
        start += 1 + len(tokens)
    return np.concatenate(parts).astype(np.int32), ranges


def gather_tokens(stream: Any, index: dict) -> dict:
    """Makes `inputs` and `targets` int [B, T], `mask` bool [B, T], `first` bool [B].

    `first` marks lanes that begin here, whose state is to be zero.
    """
    tokens = stream[index["positions"]]
    return {
        "inputs": tokens[:, :-1],
        "targets": tokens[:, 1:],
        "mask": index["mask"],
        "first": index["first"],
    }


def steps_per_epoch(tokens: range, num_lanes: int, unroll: int) -> int:
    """Whole batches of [num_lanes, unroll] in a split; what is left over is not trained on."""
    return len(tokens) // num_lanes // unroll


def training_lanes(tokens: range, num_lanes: int, unroll: int) -> Feed:
    """Endless batches over a split's targets; state starts anew with each epoch."""
    length, num_steps = len(tokens) // num_lanes, steps_per_epoch(tokens, num_lanes, unroll)
    starts = tokens.start - 1 + length * np.arange(num_lanes)[:, None] + np.arange(unroll + 1)
    mask = np.ones((num_lanes, unroll), bool)

    def index(step: int) -> dict:
        at = step % num_steps
        return {
            "positions": (starts + at * unroll).astype(np.int32),
            "mask": mask,
            "first": np.full(num_lanes, at == 0),
        }

    return Feed(index, gather_tokens, num_lanes, unit="tokens", units=num_lanes * unroll)


def evaluation_lanes(tokens: range, num_lanes: int, unroll: int, multiple: int = 1) -> Feed:
    """Every target of a split once, in so many lanes.

    Args:
        tokens: the positions of the split's tokens.
        num_lanes: 1 for the figure of the literature: the state is carried from the first token to
            the last.
        unroll: T.
        multiple: B is rounded up to a multiple of it, with lanes that count nothing.
    """
    length = -(-len(tokens) // num_lanes)
    num_rows = -(-num_lanes // multiple) * multiple
    starts = length * np.arange(num_rows)[:, None]

    def index(i: int) -> dict:
        at = i * unroll + np.arange(unroll + 1)
        counted = (starts + at[:-1] < len(tokens)) & (at[:-1] < length)
        counted[num_lanes:] = False
        return {
            "positions": (tokens.start - 1 + np.minimum(starts + at, len(tokens))).astype(np.int32),
            "mask": counted,
            "first": np.full(num_rows, i == 0),
        }

    return Feed(index, gather_tokens, num_rows, -(-length // unroll))
