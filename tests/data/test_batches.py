"""Batches of rows: every epoch sees every row once, whatever step comes first."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress.data.batches import hold_out_rows, in_order, shuffled
from jaxcompress.data.labelled.buckets import (
    cut_texts,
    gather_texts,
    shuffled_texts,
    texts_by_length,
)
from jaxcompress.data.ratings.batches import cut_windows, shuffled_windows
from jaxcompress.data.text.lanes import evaluation_lanes, training_lanes

TABLE = np.arange(40, dtype=np.float32).reshape(20, 2)
IDS = np.arange(3, 20, dtype=np.int32)


@pytest.mark.parametrize("batch_size", [1, 4, 17, 40])
def test_every_epoch_sees_every_row_once_in_a_new_order(batch_size):
    feed = shuffled(TABLE, IDS, batch_size, 7, stream=False)
    ids = np.concatenate([feed.index(step)["ids"] for step in range(-(-51 // batch_size))])[:51]
    epochs = ids.reshape(3, 17)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), IDS)
    assert (epochs[0] != epochs[1]).any()


def test_a_batch_is_a_function_of_seed_and_step_alone():
    feed, other = (shuffled(TABLE, IDS, 5, 7, stream=False) for _ in range(2))
    late = [other.index(step)["ids"] for step in (30, 2, 11)]
    for step in range(31):
        feed.index(step)
    for step, ids in zip((30, 2, 11), late, strict=True):
        np.testing.assert_array_equal(feed.index(step)["ids"], ids)
    different = shuffled(TABLE, IDS, 5, 8, stream=False)
    assert (different.index(0)["ids"] != feed.index(0)["ids"]).any()


def test_streamed_batches_hold_the_rows_of_the_same_ids():
    ids, rows = (shuffled(TABLE, IDS, 5, 7, stream=s).index(3) for s in (False, True))
    np.testing.assert_array_equal(rows["rows"], TABLE[ids["ids"]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_device_gathers_the_rows_that_the_host_would_send(dtype):
    table, weights = TABLE.astype(dtype), np.arange(20, dtype=np.float32)
    for make in (lambda **kw: shuffled(table, IDS, 5, 7, weights=weights, **kw),
                 lambda **kw: in_order(table, IDS, 5, weights=weights, **kw)):  # fmt: skip
        placed, sent = make(stream=False), make(stream=True)
        gathered = placed.gather(jnp.asarray(table), placed.index(3))
        passed = sent.gather((), sent.index(3))
        assert {k: (v.dtype, v.shape) for k, v in gathered.items()} == {
            "rows": (np.float32, (5, 2)), "mask": (bool, (5,)), "weights": (np.float32, (5,)),
        }  # fmt: skip
        assert set(passed) == set(gathered)
        for key, value in passed.items():
            np.testing.assert_array_equal(value, gathered[key])


def test_parts_of_a_batch_are_the_batch_whichever_feed_makes_them():
    texts = cut_texts(np.arange(0, 44, 2) + np.arange(22) % 2, np.arange(21), 3, "last")
    feeds = [
        shuffled(TABLE, IDS, 12, 7, stream=True, weights=np.arange(20, dtype=np.float32)),
        in_order(TABLE, IDS, 12, stream=False),
        shuffled_texts(texts, 12, 2, 0, gather_texts),
        texts_by_length(texts, 12, 2, gather_texts),
        training_lanes(range(1, 100), 12, 3),
        evaluation_lanes(range(1, 100), 10, 3, multiple=12),
        shuffled_windows(cut_windows(np.arange(60), 20, 2, 12), 12, 0),
    ]
    for feed in feeds:
        whole = feed.index(1)
        parts = [feed.index(1, slice(first, first + 4)) for first in (0, 4, 8)]
        assert all(part.keys() == whole.keys() for part in parts)
        for name, values in whole.items():
            joined = np.concatenate([part[name] for part in parts])
            np.testing.assert_array_equal(joined, values, err_msg=name)


def test_in_order_gives_every_row_once_and_masks_the_padding():
    feed = in_order(TABLE, IDS, 5, stream=False)
    assert feed.num_batches == 4
    indices = [feed.index(i) for i in range(4)]
    kept = np.concatenate([index["ids"][index["mask"]] for index in indices])
    np.testing.assert_array_equal(kept, IDS)
    assert {len(index["ids"]) for index in indices} == {5}


@pytest.mark.parametrize("stream", [False, True])
def test_weights_come_with_their_rows_and_only_where_there_are_some(stream):
    weights = np.arange(20, dtype=np.float32) / 2  # row i of TABLE is [2i, 2i + 1]
    table = TABLE[:, 0] / 4
    feed = shuffled(TABLE, IDS, 5, 7, stream=stream, weights=weights)
    in_turn = in_order(TABLE, IDS, 5, stream=stream, weights=weights)
    for index in (feed.index(3), in_turn.index(0), in_turn.index(3)):
        ids = index["rows"][:, 0].astype(int) // 2 if stream else index["ids"]
        np.testing.assert_array_equal(index["weights"], table[ids])
        assert index["weights"].dtype == np.float32
    for index in (shuffled(TABLE, IDS, 5, 7, stream=stream).index(3),
                  in_order(TABLE, IDS, 5, stream=stream).index(3)):  # fmt: skip
        assert set(index) == {"rows" if stream else "ids", "mask"}


def test_held_out_rows_are_chosen_by_seed_and_disjoint():
    train, valid = hold_out_rows(100, 7, seed=1)
    assert len(valid) == 7
    np.testing.assert_array_equal(np.sort(np.concatenate([train, valid])), np.arange(100))
    assert (hold_out_rows(100, 7, seed=1)[1] == valid).all()
    assert (hold_out_rows(100, 7, seed=2)[1] != valid).any()
    assert len(hold_out_rows(100, 0, seed=1)[1]) == 0
