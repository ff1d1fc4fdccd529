"""Short texts of two classes, made from words with planted polarity.

The words and how often they come are those of the English that every CPython carries, so vectors
made from it, `stdlib_vectors`, can be judged by how well the classes are told apart.
"""

import numpy as np

from jaxcompress.data.stdlib_text import texts
from jaxcompress.data.tokenizer import count_words

CLASSES = ("neg", "pos")
NEGATION = "not"
_NUM_WORDS = 2000  # all of them words that `stdlib_vectors` has
_NUM_POLAR = 200
_MOST_FREQUENT = 50  # words too frequent to have a polarity: `the`, `of`
_POLAR_SHARE = 0.2  # of a text's words
_NEGATED_SHARE = 0.25  # of its words with polarity
_LENGTHS = (10, 60)  # words of a text, negations not counted


def planted_reviews(
    seed: int = 0, *, num_train: int = 4000, num_test: int = 1000
) -> dict[str, tuple[list[str], list[int]]]:
    """Makes texts whose label is the sign of the sum of their words' polarities.

    200 of the 2,000 words have a polarity of 1 or -1. `not` before such a word turns it around;
    it comes nowhere else, so that a classifier must read words in order. No sum is 0.

    Args:
        seed: of polarities and texts.
        num_train: texts to train on.
        num_test: texts to test on.

    Returns:
        texts and labels by split, "train" and "test".
    """
    rng = np.random.default_rng(seed)
    words, frequency = _vocabulary()
    polarity = _polarities(rng, len(words))
    plain, polar = (frequency * (polarity == 0), frequency * (polarity != 0))
    made, labels = [], []
    while (missing := num_train + num_test - len(made)) > 0:
        ends = np.cumsum(rng.integers(_LENGTHS[0], _LENGTHS[1] + 1, missing))
        is_polar = rng.random(ends[-1]) < _POLAR_SHARE
        chosen = np.where(is_polar, _draw(rng, polar, ends[-1]), _draw(rng, plain, ends[-1]))
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


def _draw(rng: np.random.Generator, weights: np.ndarray, count: int) -> np.ndarray:
    return rng.choice(len(weights), count, p=weights / weights.sum())


def _vocabulary() -> tuple[list[str], np.ndarray]:
    """The most frequent words of two letters or more, without the negation, and their counts."""
    counts = count_words(texts())
    common = [
        (word, count)
        for word, count in counts.most_common(2 * _NUM_WORDS)
        if len(word) > 1 and word.isascii() and word.isalpha() and word != NEGATION
    ]
    words, frequency = zip(*common[:_NUM_WORDS], strict=True)
    return list(words), np.array(frequency, float)


def _polarities(rng: np.random.Generator, num_words: int) -> np.ndarray:
    """1, 0 or -1 for each word, by falling frequency, int64 [num_words]."""
    polarity = np.zeros(num_words, np.int64)
    chosen = _MOST_FREQUENT + rng.permutation(num_words - _MOST_FREQUENT)[:_NUM_POLAR]
    polarity[chosen] = rng.permutation(np.repeat([1, -1], _NUM_POLAR // 2))
    return polarity
