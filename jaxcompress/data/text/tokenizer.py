"""Words and punctuation of running text, and texts as numbers of words.

Other text than `tokens`' is: that is split at white space alone and has no ends of lines to keep.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]|_")


_LINE_ENDS = ("<br />", "<br/>", "<br>")


class Numbered(NamedTuple):
    """N texts as numbers of words, one text after another.

    Attributes:
        words: the distinct words, in the order of their first use.
        ids: int32 [tokens].
        bounds: int64 [N + 1]: text i is `ids[bounds[i] : bounds[i + 1]]`.
    """

    words: list[str]
    ids: np.ndarray
    bounds: np.ndarray


def tokenize(text: str) -> list[str]:
    """Splits a text into words and single characters of punctuation, in lower case.

    A word is letters and digits of any script, with apostrophes inside: `don't` is one, `'tis` is
    two tokens, `well-made` three. White space and `<br />` are no tokens.
    """
    return _TOKEN.findall(_plain(text))


def is_empty(text: str) -> bool:
    """Whether a text has no tokens."""
    return _TOKEN.search(_plain(text)) is None


def _plain(text: str) -> str:
    text = text.lower()
    for tag in _LINE_ENDS:
        text = text.replace(tag, " ")
    return text


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Counts the tokens of texts, in the order of their first use."""
    counts = Counter()
    for text in texts:
        counts.update(tokenize(text))
    return counts


def number_texts(texts: Iterable[str]) -> Numbered:
    """Numbers the tokens of texts as they are met: far smaller than strings, and read once."""
    met: defaultdict[str, int] = defaultdict()
    met.default_factory = met.__len__
    rows = []
    for text in texts:
        words = tokenize(text)
        rows.append(np.fromiter(map(met.__getitem__, words), np.int32, len(words)))
    bounds = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=bounds[1:])
    return Numbered(list(met), np.concatenate([np.zeros(0, np.int32), *rows]), bounds)
