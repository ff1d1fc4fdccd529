"""Batches of a token stream: lanes go on from step to step, and an evaluation misses no token."""

import itertools

import numpy as np
import pytest

from jaxcompress.data.text.lanes import (
    as_stream,
    evaluation_lanes,
    gather_lanes,
    steps_per_epoch,
    training_lanes,
)


def gather(stream, feed, step):
    batch = gather_lanes(stream, feed.index(step))
    return batch["inputs"], batch["targets"], batch["mask"], batch["first"]


def test_training_lanes_go_on_where_the_step_before_ended():
    stream, splits = as_stream({"train": np.arange(1, 24)}, end=0)
    feed = training_lanes(splits["train"], num_lanes=2, unroll=5, rotate=False)
    assert steps_per_epoch(splits["train"], 2, 5) == 2
    inputs, targets, mask, first = gather(stream, feed, 0)
    np.testing.assert_array_equal(inputs, [[0, 1, 2, 3, 4], [11, 12, 13, 14, 15]])
    np.testing.assert_array_equal(targets, [[1, 2, 3, 4, 5], [12, 13, 14, 15, 16]])
    assert mask.all()
    assert first.all()
    inputs, _, _, first = gather(stream, feed, 1)
    np.testing.assert_array_equal(inputs, [[5, 6, 7, 8, 9], [16, 17, 18, 19, 20]])
    assert not first.any()
    np.testing.assert_array_equal(gather(stream, feed, 2)[0], gather(stream, feed, 0)[0])
    assert gather(stream, feed, 2)[3].all()


@pytest.mark.parametrize(
    ("num_tokens", "num_lanes", "unroll"), [(23, 2, 5), (11, 1, 4), (97, 7, 3)]
)
def test_what_an_epoch_leaves_out_the_next_one_reads(num_tokens, num_lanes, unroll):
    stream, splits = as_stream({"train": np.arange(1, num_tokens + 1)}, end=0)
    feed = training_lanes(splits["train"], num_lanes, unroll)
    num_steps = steps_per_epoch(splits["train"], num_lanes, unroll)
    left_out = []
    for epoch in range(200):
        seen = []
        for step in range(epoch * num_steps, (epoch + 1) * num_steps):
            inputs, targets, _, first = gather(stream, feed, step)
            assert (first == (step == epoch * num_steps)).all()
            np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])
            assert (inputs % num_tokens == targets - 1).all()  # the first comes after the last
            seen.extend(targets.ravel())
        assert len(set(seen)) == len(seen) == num_lanes * unroll * num_steps
        left_out.append(set(range(1, num_tokens + 1)) - set(seen))
    assert all(not one & other for one, other in itertools.pairwise(left_out))
    times = [sum(token in some for some in left_out) for token in range(1, num_tokens + 1)]
    assert max(times) - min(times) <= 2  # each token is left out about as often as any other


@pytest.mark.parametrize("num_lanes", [1, 3, 4])
@pytest.mark.parametrize("unroll", [1, 4, 100])
@pytest.mark.parametrize("multiple", [1, 8])
def test_an_evaluation_counts_every_token_of_its_split_once(num_lanes, unroll, multiple):
    stream, splits = as_stream({"train": np.arange(5), "valid": np.arange(50, 61)}, end=99)
    feed = evaluation_lanes(splits["valid"], num_lanes, unroll, multiple)
    seen = []
    for i in range(feed.num_batches):
        inputs, targets, mask, first = gather(stream, feed, i)
        assert len(inputs) % multiple == 0
        assert (first == (i == 0)).all()
        seen.extend(zip(inputs[mask], targets[mask], strict=True))
    expected = zip([99, *range(50, 60)], range(50, 61), strict=True)
    assert sorted(seen, key=lambda pair: pair[1]) == list(expected)


def test_indices_and_batches_have_the_types_and_shapes_that_gather_lanes_states():
    stream, splits = as_stream({"train": np.arange(1, 24)}, end=0)
    for feed in (training_lanes(splits["train"], 2, 5), evaluation_lanes(splits["train"], 2, 5)):
        index = feed.index(1)
        assert {k: (v.dtype, v.shape) for k, v in index.items()} == {
            "positions": (np.int32, (2, 6)), "mask": (bool, (2, 5)), "first": (bool, (2,)),
        }  # fmt: skip
        batch = feed.gather(stream, index)
        assert {k: (v.dtype, v.shape) for k, v in batch.items()} == {
            "inputs": (np.int32, (2, 5)), "targets": (np.int32, (2, 5)), "mask": (bool, (2, 5)),
            "first": (bool, (2,)),
        }  # fmt: skip
