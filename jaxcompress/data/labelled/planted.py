"""Short texts of two classes, made from words with planted polarity.

The words and how often they come are those of the English that every CPython carries. Words of the
same documents tend to have the same polarity, as they tend to have like vectors; so vectors made
from that English, `stdlib_vectors`, can be judged by how well the classes are told apart.
"""

import numpy as np

from jaxcompress.data.text.stdlib import stdlib_texts
from jaxcompress.data.text.tokenizer import count_words

CLASSES = ("neg", "pos")


NEGATION = "not"


_NUM_WORDS = 500  # all of them words that `stdlib_vectors` has


_NUM_POLAR = 50


_MOST_FREQUENT = 20  # words too frequent to have a polarity: `the`, `of`


_POLAR_SHARE = 0.4  # of a text's words


_NEGATED_SHARE = 0.15  # of its words with polarity


_LENGTHS = (10, 60)  # words of a text, negations not counted


_DOCUMENTS = 512  # that stand together and are of one side


def planted_reviews(
    seed: int = 0, *, num_train: int = 4000, num_test: int = 1000
) -> dict[str, tuple[list[str], list[int]]]:
    """Makes texts whose label is the sign of the sum of their words' polarities.

    50 of the 500 words have a polarity of 1 or -1. `not` before such a word turns it around; it
    comes nowhere else, so that a classifier must read words in order. No sum is 0.

    Args:
        seed: of polarities and texts.
        num_train: texts to train on.
        num_test: texts to test on.

    Returns:
        texts and labels by split, "train" and "test".
    """
    rng = np.random.default_rng(seed)
    words, counts = _vocabulary(rng)
    frequency = counts.sum(axis=0)
    polarity = _polarities(counts)
    sides = [polarity == sign for sign in (-1, 0, 1)]
    negative, plain, positive = (side * frequency / frequency[side].sum() for side in sides)
    made, labels = [], []
    while (missing := num_train + num_test - len(made)) > 0:
        ends = np.cumsum(rng.integers(_LENGTHS[0], _LENGTHS[1] + 1, missing))
        is_polar = rng.random(ends[-1]) < _POLAR_SHARE
        from_polar = rng.choice(len(words), ends[-1], p=(negative + positive) / 2)
        chosen = np.where(is_polar, from_polar, rng.choice(len(words), ends[-1], p=plain))
        negated = is_polar & (rng.random(ends[-1]) < _NEGATED_SHARE)
        signed = np.where(negated, -polarity[chosen], polarity[chosen])
        said = [
            f"{NEGATION} {words[i]}" if n else words[i]
            for i, n in zip(chosen, negated, strict=True)
        ]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            if total := signed[start:end].sum():
                made.append(" ".join(said[start:end]))
                labels.append(int(total > 0))
    return {
        "train": (made[:num_train], labels[:num_train]),
        "test": (made[num_train:], labels[num_train:]),
    }


def _vocabulary(rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """The most frequent words of two letters or more, without the negation.

    Returns:
        V words, by falling frequency, and their counts in either of two sides that the documents
        are on, float64 [2, V].
    """
    documents = stdlib_texts()
    sides = rng.permutation(np.arange(len(documents) // _DOCUMENTS + 1) % 2).repeat(_DOCUMENTS)
    counts = [
        count_words(text for text, side in zip(documents, sides, strict=False) if side == wanted)
        for wanted in (0, 1)
    ]
    common = [
        word
        for word, _ in (counts[0] + counts[1]).most_common(2 * _NUM_WORDS)
        if len(word) > 1 and word.isascii() and word.isalpha() and word != NEGATION
    ]
    words = common[:_NUM_WORDS]
    return words, np.array([[float(some[word]) for word in words] for some in counts])


def _polarities(counts: np.ndarray) -> np.ndarray:
    """1, 0 or -1 for each word: how much more than others it is of one side, int64 [V]."""
    leaning = np.diff(np.log((counts + 1) / counts.sum(axis=1, keepdims=True)), axis=0)[0]
    order = _MOST_FREQUENT + np.argsort(leaning[_MOST_FREQUENT:], kind="stable")
    polarity = np.zeros(len(leaning), np.int64)
    polarity[order[: _NUM_POLAR // 2]] = -1
    polarity[order[-(_NUM_POLAR // 2) :]] = 1
    return polarity
