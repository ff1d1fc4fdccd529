"""Labelled texts as numbers: read and tokenised once, for every table of words that reads them."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxcompress.classifier.config import Config
from jaxcompress.data.batches import hold_out_rows
from jaxcompress.data.labelled.read import LabelledText, read_labelled_text
from jaxcompress.data.text.tokenizer import NumberedTexts, number_texts
from jaxcompress.engine.workdir import fingerprint
from jaxcompress.errors import InputError
from jaxcompress.storage.names import number_rows


class Corpus(NamedTuple):
    """N labelled texts of all splits, one split after another.

    A text's id is its place among the N; `ranges["test"]` holds those of the test texts.

    Attributes:
        text: the texts as they were read, with the names of their classes.
        numbered: their tokens as numbers of distinct words, text after text.
        ranges: the ids of each split: "train", "test", and "valid" if the source has it.
        labels: int32 [N], each in [0, number of classes).
    """

    text: LabelledText
    numbered: NumberedTexts
    ranges: dict[str, range]
    labels: np.ndarray


def read_corpus(config: Config) -> Corpus:
    """Reads the texts that the config names.

    Raises:
        InputError: if the config is invalid, or the texts are.
    """
    config.check()
    return number_corpus(read_texts(config))


def read_texts(config: Config) -> LabelledText:
    """Reads the texts that the config names, as they are."""
    data = config.data
    return read_labelled_text(data.source, valid=data.valid, test=data.test, columns=data.columns)


def number_corpus(text: LabelledText) -> Corpus:
    """Turns texts into numbers of words.

    >>> labels = {"train": np.array([0, 1]), "test": np.array([1])}
    >>> texts = {"train": ["so good", "so bad"], "test": ["bad, bad"]}
    >>> corpus = number_corpus(LabelledText(texts, labels, ("pos", "neg")))
    >>> corpus.numbered.words, corpus.numbered.ids.tolist(), corpus.ranges["test"]
    (['so', 'good', 'bad', ','], [0, 1, 0, 2, 2, 3, 2], range(2, 3))
    """
    ranges, start = {}, 0
    for split, texts in text.texts.items():
        ranges[split] = range(start, start + len(texts))
        start += len(texts)
    numbered = number_texts(one for texts in text.texts.values() for one in texts)
    return Corpus(text, numbered, ranges, np.concatenate([text.labels[s] for s in ranges]))


def number_tokens(corpus: Corpus, words: Sequence[str]) -> np.ndarray:
    """Numbers all tokens by the rows of a table.

    Args:
        corpus: the texts.
        words: the V names of the rows; of equal ones, the first counts.

    Returns:
        int32 [tokens], each in [0, V]; V stands for a word that is not in the table.
    """
    ids, unknown = number_rows(words), len(words)
    row_of = np.array([ids.get(word, unknown) for word in corpus.numbered.words], np.int32)
    return row_of[corpus.numbered.ids]


def known_shares(corpus: Corpus, known: np.ndarray) -> dict[str, float]:
    """Computes the share of each split's tokens that are `known`, bool [tokens]."""
    return {split: float(known[_token_range(corpus, split)].mean()) for split in corpus.ranges}


def most_common_words(corpus: Corpus, count: int) -> list[str]:
    """Lists the most frequent words of the texts to train on; of equals, the first met is first."""
    words = corpus.numbered.words
    ids = corpus.numbered.ids[_token_range(corpus, "train")]
    counts = np.bincount(ids, minlength=len(words))
    order = np.argsort(-counts, kind="stable")[:count]
    return [words[i] for i in order if counts[i]]


def training_counts(corpus: Corpus, words: Sequence[str]) -> np.ndarray:
    """Counts the tokens to train on by the rows of a table: int [V + 1], unknown words last."""
    tokens = number_tokens(corpus, words)[_token_range(corpus, "train")]
    return np.bincount(tokens, minlength=len(words) + 1)


def _token_range(corpus: Corpus, split: str) -> slice:
    """Where a split's tokens lie among all tokens."""
    texts, bounds = corpus.ranges[split], corpus.numbered.bounds
    return slice(bounds[texts.start], bounds[texts.stop])


def num_valid_texts(corpus: Corpus, wanted: int | None) -> int:
    """Says how many of the texts to train on are held out; 0 if the source has a valid split.

    Args:
        corpus: the texts.
        wanted: number of texts; None: a tenth, at most 2,500.

    Raises:
        InputError: if no text is held out, or none is left to train on.
    """
    if "valid" in corpus.ranges:
        return 0
    count, most = len(corpus.ranges["train"]), len(_single_texts(corpus))
    num_valid = min(count // 10, 2500, most) if wanted is None else wanted
    if most and not 1 <= num_valid < count:
        raise InputError(
            f"data.valid_texts is {num_valid}; expected from 1 to {count - 1}, fewer than the "
            f"{count} texts to train on."
        )
    if not 1 <= num_valid <= most:
        raise InputError(
            f"data.valid_texts is {num_valid}, and only {most} of the {count} texts to train on "
            "are there once; one that is there again would be trained on too. Lower it, or give "
            "data.valid."
        )
    return num_valid


def _single_texts(corpus: Corpus) -> np.ndarray:
    """Lists the places of the texts to train on that are there once, int [texts]."""
    counts = Counter(corpus.text.texts["train"])
    return np.flatnonzero([counts[text] == 1 for text in corpus.text.texts["train"]])


def split_texts(corpus: Corpus, num_valid: int, seed: int) -> dict[str, np.ndarray]:
    """Lists the ids of each split, int [texts].

    Only texts that are there once are held out: no text that is trained on is held out too.

    Args:
        corpus: the texts.
        num_valid: how many of the texts to train on are held out; 0: the source's own split.
        seed: which ones are held out.
    """
    ids = {split: np.array(texts) for split, texts in corpus.ranges.items()}
    if num_valid:
        single = _single_texts(corpus)
        valid = single[hold_out_rows(len(single), num_valid, seed)[1]]
        ids |= {"train": np.setdiff1d(ids["train"], ids["train"][valid]),
                "valid": ids["train"][valid]}  # fmt: skip
    return ids


def corpus_fingerprint(corpus: Corpus, tokens: np.ndarray, words: Sequence[str]) -> str:
    """Hashes the tokens [tokens], the table's words, the ends of texts and splits, the labels."""
    lengths = np.diff(corpus.numbered.bounds)
    splits = [f"{split} {len(texts)}" for split, texts in corpus.ranges.items()]
    return fingerprint(tokens[:, None], list(words)) + fingerprint(
        lengths[:, None], splits, corpus.labels
    )
