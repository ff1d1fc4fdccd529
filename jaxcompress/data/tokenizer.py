"""Words and punctuation of running text, and texts as ids of words.

Other text than `tokens`' is: that is split at white space alone and has no ends of lines to keep.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import repeat
from typing import NamedTuple

import numpy as np

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]|_")
_LINE_ENDS = ("<br />", "<br/>", "<br>")


class EncodedText(NamedTuple):
    """n texts as ids of words, one after another.

    Attributes:
        ids: int32 [tokens].
        starts: int64 [n + 1], where each text starts; text i is `ids[starts[i] : starts[i + 1]]`.
    """

    ids: np.ndarray
    starts: np.ndarray


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


def encode_texts(
    texts: Iterable[str], ids: dict[str, int], unknown: int, max_tokens: int | None = None
) -> EncodedText:
    """Looks up the ids of texts' tokens.

    Args:
        texts: n of them.
        ids: by word.
        unknown: the id of words that are not in `ids`.
        max_tokens: how many of a text's first tokens are kept; None: all.
    """
    rows = []
    for text in texts:
        words = tokenize(text)[:max_tokens]
        rows.append(np.fromiter(map(ids.get, words, repeat(unknown)), np.int32, len(words)))
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    return EncodedText(np.concatenate([np.zeros(0, np.int32), *rows]), starts)
