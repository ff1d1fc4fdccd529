"""Short texts of two classes, made from words with planted polarity.

The words and their frequencies are those of the English that every CPython carries. Words of the
same documents tend to have the same polarity, and they tend to have similar vectors; so vectors
made from that English, `stdlib_vectors`, can be judged by how well they tell the classes apart.

Axis letters: V words.
"""

import numpy as np

from jaxcompress.data.text.stdlib import stdlib_texts
from jaxcompress.data.text.tokenizer import count_words

PLANTED = "planted"  # as a source of labelled text, it asks for these
CLASSES = ("neg", "pos")
NEGATION = "not"

_NUM_WORDS = 500  # all of them words that `stdlib_vectors` has
_NUM_POLAR = 50  # words with a polarity, half of them of either sign
_MOST_FREQUENT = 20  # words that are too frequent to have a polarity, such as "the"
_POLAR_SHARE = 0.4  # share of words with a polarity in a text
_NEGATED_SHARE = 0.15  # share of these that stand behind a negation
_LENGTHS = (10, 60)  # words of a text, at least and at most, without negations
_DOCUMENTS = 512  # successive documents that are on the same side


def planted_reviews(
    seed: int = 0, *, num_train: int = 4000, num_test: int = 1000
) -> dict[str, tuple[list[str], list[int]]]:
    """Makes texts whose label is the sign of the sum of their words' polarities.

    50 of 500 words have a polarity of 1 or -1. "not" before such a word turns its polarity around;
    it stands nowhere else, so that a classifier must read words in order. No sum is 0.

    Args:
        seed: polarities and texts are a function of it.
        num_train: number of texts to train on.
        num_test: number of texts to test on.

    Returns:
        Texts, and labels that are numbers of classes, by split: "train" and "test".
    """
    rng = np.random.default_rng(seed)
    words, counts = _vocabulary(rng)
    frequency, polarity = counts.sum(axis=0), _polarities(counts)
    texts, labels = [], []
    while (missing := num_train + num_test - len(texts)) > 0:
        more_texts, more_labels = _draw_texts(rng, words, frequency, polarity, missing)
        texts += more_texts
        labels += more_labels
    return {
        "train": (texts[:num_train], labels[:num_train]),
        "test": (texts[num_train:], labels[num_train:]),
    }


def _draw_texts(
    rng: np.random.Generator,
    words: list[str],
    frequency: np.ndarray,
    polarity: np.ndarray,
    num_texts: int,
) -> tuple[list[str], list[int]]:
    """Draws texts and their labels; fewer than `num_texts`, since those with sum 0 are left out.

    words V, frequency and polarity [V].
    """
    sides = [polarity == sign for sign in (-1, 0, 1)]
    negative, plain, positive = (side * frequency / frequency[side].sum() for side in sides)
    ends = np.cumsum(rng.integers(_LENGTHS[0], _LENGTHS[1] + 1, num_texts))
    is_polar = rng.random(ends[-1]) < _POLAR_SHARE
    from_polar = rng.choice(len(words), ends[-1], p=(negative + positive) / 2)
    drawn = np.where(is_polar, from_polar, rng.choice(len(words), ends[-1], p=plain))
    negated = is_polar & (rng.random(ends[-1]) < _NEGATED_SHARE)
    signed = np.where(negated, -polarity[drawn], polarity[drawn])
    written = [
        f"{NEGATION} {words[i]}" if is_negated else words[i]
        for i, is_negated in zip(drawn, negated, strict=True)
    ]
    texts, labels = [], []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        if total := signed[start:end].sum():
            texts.append(" ".join(written[start:end]))
            labels.append(int(total > 0))
    return texts, labels


def _vocabulary(rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Finds the most frequent words of two letters or more, without the negation.

    Documents are put on one of two sides by lot, `_DOCUMENTS` successive ones at a time.

    Returns:
        V words, by falling frequency, and their counts on either side, float64 [2, V].
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
    """Gives 1 or -1 to the words that lean most to either side, 0 to all others; int64 [V]."""
    leaning = np.diff(np.log((counts + 1) / counts.sum(axis=1, keepdims=True)), axis=0)[0]
    order = _MOST_FREQUENT + np.argsort(leaning[_MOST_FREQUENT:], kind="stable")
    polarity = np.zeros(len(leaning), np.int64)
    polarity[order[: _NUM_POLAR // 2]] = -1
    polarity[order[-(_NUM_POLAR // 2) :]] = 1
    return polarity
