"""Texts taken apart into words and punctuation marks, and as numbers of words.

For texts that are classified. A language model's text is split at white space alone, and the ends
of its lines count (`corpus.py`).

Axis letters: N texts.
"""

import functools
import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]|_")
_LINE_ENDS = ("<br />", "<br/>", "<br>")
# An entity; or one whose ampersand was made a space, as in the files of AG News that go round.
_ENTITY = re.compile(r"&(?:\w+|#\d+|#x[\da-f]+);| (?:#\d+|quot|amp);")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\uff07", "'"))
_JOINERS = "\u200c\u200d"  # of Persian and of Indian scripts, inside of words
# Thai and Lao, Myanmar, Khmer, from Hiragana to Hangul's letters, and Han.
_NO_SPACES = (
    (0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x312F), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F),
)  # fmt: skip
_RARE_HAN = "\U00020000-\U000323af"


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

    A word is letters and digits of any script, with the marks that belong to them, composed as
    Unicode's NFC has them, and with apostrophes inside, which are straight whatever their form. A
    letter of a script without spaces between words, such as Han, kana or Thai, is a token of its
    own. HTML entities are the characters that they stand for. White space and `<br />` are no
    tokens.

    >>> tokenize("It's well-made.<br />'Tis!")
    ["it's", 'well', '-', 'made', '.', "'", 'tis', '!']
    >>> tokenize("Isn’t it &quot;映画&quot;?")
    ["isn't", 'it', '"', '映', '画', '"', '?']
    """
    text = _plain(text)
    if not text.isascii():
        rare, any_token = _of_all_scripts()
        if rare.search(text):
            return any_token.findall(text)
    return _TOKEN.findall(text)


def is_empty(text: str) -> bool:
    """Tells whether a text has no tokens."""
    return not _plain(text).strip()


def _plain(text: str) -> str:
    """Puts a text in lower case and NFC, without entities, line breaks of HTML, odd apostrophes."""
    text = text.lower()
    if ";" in text:
        text = _ENTITY.sub(lambda found: html.unescape(f"&{found[0][1:]}").lower(), text)
    for tag in _LINE_ENDS:
        text = text.replace(tag, " ")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_APOSTROPHES)
    return text


@functools.cache
def _of_all_scripts() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Makes two expressions where they are first needed: of what is rare, and of any token.

    Where nothing rare is found, `_TOKEN` finds the same tokens in a fifth of the time. A search for
    many characters is fast up to U+FFFF alone; what lies beyond is rare altogether.
    """
    marks = _of_category("M", [(0x300, 0xFFFF)]) + _JOINERS
    alone = _of_category("L", _NO_SPACES)
    rare = re.compile(f"[{marks}{alone}\U00010000-\U0010ffff]")
    marks += _of_category("M", [(0x10000, 0x1FFFF), (0xE0100, 0xE01EF)])
    alone += _RARE_HAN
    letter = rf"[^\W_{alone}][{marks}]*"
    return rare, re.compile(rf"(?:{letter})+(?:'(?:{letter})+)*|[{alone}][{marks}]*|[^\w\s]|_")


def _of_category(category: str, ranges: Iterable[tuple[int, int]]) -> str:
    """Lists the characters of a category of Unicode, as between the brackets of an expression."""
    runs: list[list[int]] = []
    for first, last in ranges:
        for code in range(first, last + 1):
            if unicodedata.category(chr(code)).startswith(category):
                if runs and runs[-1][1] == code - 1:
                    runs[-1][1] = code
                else:
                    runs.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in runs)


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
