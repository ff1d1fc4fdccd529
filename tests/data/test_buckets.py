"""Batches of texts of about one length: their composition, their padding, their tokens."""

import jax.numpy as jnp
import numpy as np

from jaxcompress.data.labelled.buckets import (
    cut_texts,
    gather_texts,
    shuffled_texts,
    steps_per_epoch,
    texts_by_length,
)

LENGTHS = np.array([3, 9, 1, 12, 7, 7, 2, 30, 5, 11, 4])
BOUNDS = np.concatenate([[0], np.cumsum(LENGTHS)])
LABELS = np.arange(len(LENGTHS))  # of its own for each text: which is where can be told
TEXTS = cut_texts(BOUNDS, LABELS, 10, "first")


TOKENS = jnp.concatenate([1000 * i + jnp.arange(n) for i, n in enumerate(LENGTHS)])


def test_texts_are_cut_to_their_first_or_last_tokens():
    np.testing.assert_array_equal(TEXTS.lengths, np.minimum(LENGTHS, 10))
    np.testing.assert_array_equal(TEXTS.starts, BOUNDS[:-1])
    last = cut_texts(BOUNDS, LABELS, 10, "last")
    np.testing.assert_array_equal(last.lengths, np.minimum(LENGTHS, 10))
    np.testing.assert_array_equal(last.starts + last.lengths, BOUNDS[1:])


def test_an_epoch_holds_each_text_once_but_for_what_fills_no_batch():
    feed = shuffled_texts(TEXTS, 3, 4, 0, gather_texts)
    assert steps_per_epoch(len(TEXTS.starts), 3) == 3
    epochs = [
        np.concatenate([feed.index(s)["labels"] for s in range(3 * e, 3 * e + 3)])
        for e in range(40)
    ]
    for seen in epochs:
        assert len(set(seen)) == 9
    assert set(np.concatenate(epochs)) == set(range(11))
    assert len({tuple(seen) for seen in epochs}) > 30  # of 330 that there are


def test_a_step_is_a_function_of_the_seed_and_its_number():
    one, other = (shuffled_texts(TEXTS, 3, 4, 7, gather_texts) for _ in range(2))
    expected = [one.index(s)["labels"] for s in range(12)]
    for s in (11, 2, 7, 0):  # in any order
        np.testing.assert_array_equal(other.index(s)["labels"], expected[s])
    third = shuffled_texts(TEXTS, 3, 4, 8, gather_texts)
    assert any((third.index(s)["labels"] != expected[s]).any() for s in range(12))


def test_texts_of_a_batch_are_of_about_one_length():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 400, 6400)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    texts = cut_texts(bounds, np.zeros(6400), 400, "first")
    feed = shuffled_texts(texts, 64, 50, 0, gather_texts)
    padded = sum(feed.index(s)["positions"].size for s in range(100))
    assert padded < 1.15 * lengths.sum()
    shapes = {feed.index(s)["positions"].shape[1] for s in range(100)}
    assert shapes <= {50, 100, 150, 200, 250, 300, 350, 400}


def test_a_batch_holds_the_tokens_of_its_texts():
    feed = texts_by_length(TEXTS, 4, 4, gather_texts)
    assert feed.num_batches == 3
    seen = []
    for i in range(3):
        batch = feed.gather(TOKENS, feed.index(i))
        assert batch["ids"].shape[1] % 4 == 0
        assert batch["ids"].shape[1] - batch["lengths"].max() < 4
        for ids, length, label, counts in zip(
            batch["ids"], batch["lengths"], batch["labels"], batch["mask"], strict=True
        ):
            assert length == min(LENGTHS[label], 10)
            np.testing.assert_array_equal(ids[:length], 1000 * label + np.arange(length))
            if counts:
                seen.append(label)
    assert sorted(seen) == list(range(11))
    ends = np.array([min(LENGTHS[label], 10) for label in seen])
    assert (np.diff(ends) >= 0).all()
