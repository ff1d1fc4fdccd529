"""Texts taken apart into words and punctuation marks, and as numbers of words.

For texts that are classified. A language model's text is split at white space alone, and the ends
of its lines count (`corpus.py`).

Axis letters: N texts.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]|_")
_LINE_ENDS = ("<br />", "<br/>", "<br>")


class NumberedTexts(NamedTuple):
    """N texts as numbers of words, one text after another.

    Attributes:
        words: the V distinct words, in the order of their first use.
        ids: int32 [tokens], each in [0, V): the place of the token's word in `words`.
        bounds: int64 [N + 1]: text i is `ids[bounds[i] : bounds[i + 1]]`.
    """

    words: list[str]
    ids: np.ndarray
    bounds: np.ndarray


def tokenize(text: str) -> list[str]:
    """Splits a text into words and single characters of punctuation, in lower case.

    A word is letters and digits of any script, with apostrophes inside. White space and `<br />`
    are no tokens.

    >>> tokenize("It's well-made.<br />'Tis!")
    ["it's", 'well', '-', 'made', '.', "'", 'tis', '!']
    """
    return _TOKEN.findall(_plain(text))


def is_empty(text: str) -> bool:
    """Tells whether a text has no tokens."""
    return _TOKEN.search(_plain(text)) is None


def _plain(text: str) -> str:
    """Puts a text in lower case, with spaces in the place of line breaks of HTML."""
    text = text.lower()
    for tag in _LINE_ENDS:
        text = text.replace(tag, " ")
    return text


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Counts how often each word stands in texts, in the order of their first use."""
    counts = Counter()
    for text in texts:
        counts.update(tokenize(text))
    return counts


def number_texts(texts: Iterable[str]) -> NumberedTexts:
    """Numbers the tokens of texts by the first use of their word.

    Numbers take far less memory than strings, and the texts are read once.

    >>> words, ids, bounds = number_texts(["so good", "good!"])
    >>> words, ids.tolist(), bounds.tolist()
    (['so', 'good', '!'], [0, 1, 1, 2], [0, 2, 4])
    """
    met: defaultdict[str, int] = defaultdict()
    met.default_factory = met.__len__
    parts = []
    for text in texts:
        tokens = tokenize(text)
        parts.append(np.fromiter(map(met.__getitem__, tokens), np.int32, len(tokens)))
    bounds = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=bounds[1:])
    return NumberedTexts(list(met), np.concatenate([np.zeros(0, np.int32), *parts]), bounds)
