"""Text as ids of words: Penn Treebank, WikiText, and plain text of the user's own.

A line is split at white space, and its end is a token too, `<eos>`, as in Mikolov's Penn Treebank
and in WikiText; so counts and perplexities are those of the literature.

Axis letters: V words.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcompress.data.paths import find_file, find_folder
from jaxcompress.data.text.stdlib import STDLIB, stdlib_texts
from jaxcompress.data.text_files import read_text
from jaxcompress.errors import InputError

SPLITS = ("train", "valid", "test")
END, UNKNOWN = "<eos>", "<unk>"

_FILES = ("{}.txt", "ptb.{}.txt", "wiki.{}.tokens", "wiki.{}.raw", "{}")  # of a split
_STDLIB_TOKEN = re.compile(r"[a-z]+|[0-9]+|[.,:;()'\"]")
_GET_TEXT = (
    "Expected a folder with train, valid and test files. Fetch Penn Treebank (Mikolov's) with: "
    "jaxcompress download ptb (or wikitext-2, wikitext-103); or give another folder "
    "with --config.data.path=FOLDER."
)


class Corpus(NamedTuple):
    """A text in three splits.

    Attributes:
        words: the V distinct words by id, `END` and `UNKNOWN` among them.
        splits: ids of tokens, int32 [tokens], each in [0, V), by split: "train", "valid", "test".
        notes: lines for the user about tokens that the vocabulary lacks.
        source: the folder that was read, or "stdlib".
    """

    words: list[str]
    splits: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()
    source: str = ""


def read_corpus(
    path: str, *, vocabulary: str | None = None, max_vocab: int | None = None
) -> Corpus:
    """Reads the three splits of a text.

    Args:
        path: a folder with a file for each split, as Penn Treebank (`ptb.train.txt`), WikiText
            (`wiki.train.tokens`) or one's own (`train.txt`) is laid out; or "stdlib".
        vocabulary: a file of the words, one a line, `<unk>` and `<eos>` among them; None: the
            words of the training split, by falling frequency, equals by their first use.
        max_vocab: V at most; rarer words become `<unk>`. None: no limit.

    Raises:
        InputError: if a split or the vocabulary is missing or is not text: with file, line, and
            what was expected.
    """
    if max_vocab is not None and max_vocab < 3:
        raise InputError(f"data.max_vocab is {max_vocab}; it must be at least 3.")
    if path == STDLIB:
        lines, source = _stdlib_lines(), STDLIB
    else:
        folder = find_folder(path, _GET_TEXT)
        files = {split: _split_file(folder, split) for split in SPLITS}
        lines, source = {split: _read_lines(file) for split, file in files.items()}, str(folder)
    met: dict[str, int] = {}
    numbers = {split: _number_tokens(lines[split], met) for split in SPLITS}
    if vocabulary is None:
        words = _most_common(numbers["train"], met, max_vocab)
    else:
        words = _read_vocabulary(find_file(vocabulary, "Expected a word a line."), max_vocab)
    return _as_ids(numbers, met, words, source)


def token_ids(tokens: Iterable[str], ids: Mapping[str, int]) -> list[int]:
    """Looks up the ids of tokens; one that is not a word is tried in lower case, then `<unk>`.

    >>> token_ids(["The", "US", "zebra"], {"<unk>": 0, "the": 1, "US": 2})
    [1, 2, 0]
    """
    unknown = ids[UNKNOWN]
    return [ids.get(token, ids.get(token.lower(), unknown)) for token in tokens]


def _split_file(folder: Path, split: str) -> Path:
    names = [name.format(split) for name in _FILES]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise InputError(f"{folder}: no {split} split; expected one of {', '.join(names)}.")
    return found[0]


def _read_lines(file: Path) -> list[str]:
    lines = read_text(file).split("\n")
    lines = lines[:-1] if not lines[-1].strip() else lines
    if not any(line.strip() for line in lines):
        raise InputError(f"{file} is empty; expected text, words separated by spaces.")
    return lines


def _number_tokens(lines: Iterable[str], met: dict[str, int]) -> np.ndarray:
    """Numbers tokens by the first use of their word; new words are added to `met`.

    Numbers take far less memory than strings.
    """
    tokens = (token for line in lines for token in (*line.split(), END))
    return np.fromiter((met.setdefault(token, len(met)) for token in tokens), np.int32)


def _most_common(train: np.ndarray, met: dict[str, int], max_vocab: int | None) -> list[str]:
    """Lists the words of the training split and the special ones, by falling frequency."""
    counts, special = np.bincount(train, minlength=len(met)), (END, UNKNOWN)
    by_number = list(met)
    ordered = [by_number[i] for i in np.argsort(-counts, kind="stable") if counts[i]]
    ordered += [word for word in special if word not in ordered]
    others = [word for word in ordered if word not in special]
    kept = {*special, *others[: (max_vocab or len(ordered)) - len(special)]}
    return [word for word in ordered if word in kept]


def _read_vocabulary(file: Path, max_vocab: int | None) -> list[str]:
    lines = read_text(file).split("\n")
    words = lines[:-1] if not lines[-1] else lines
    for special in (UNKNOWN, END):
        if special not in words:
            raise InputError(f"{file}: lacks {special}; expected a word a line, {special} too.")
    if len(set(words)) < len(words):
        again = next(word for word, count in Counter(words).items() if count > 1)
        raise InputError(f"{file}: {again!r} is there more than once; expected distinct words.")
    if max_vocab is not None and len(words) > max_vocab:
        raise InputError(f"{file}: {len(words)} words are more than data.max_vocab = {max_vocab}.")
    return words


def _as_ids(
    numbers: dict[str, np.ndarray], met: dict[str, int], words: list[str], source: str
) -> Corpus:
    """Puts the ids of `words` in the place of numbers by first use."""
    ids = {word: i for i, word in enumerate(words)}
    id_of_number = np.array([ids.get(word, ids[UNKNOWN]) for word in met], np.int32)
    is_missing = np.array([word not in ids for word in met])
    notes = []
    for split, some in numbers.items():
        if missing := int(is_missing[some].sum()):
            notes.append(
                f"{missing:,} of the {split} split's {len(some):,} tokens became {UNKNOWN}, since "
                "the vocabulary lacks them."
            )
    splits = {split: id_of_number[some] for split, some in numbers.items()}
    return Corpus(words, splits, tuple(notes), source)


def _stdlib_lines() -> dict[str, list[str]]:
    """Makes lines of three splits: of twenty documents, one to validate by and one to test by.

    Words are in lower case, and punctuation marks are tokens of their own.
    """
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    for i, text in enumerate(stdlib_texts()):
        split = {0: "valid", 1: "test"}.get(i % 20, "train")
        found = (_STDLIB_TOKEN.findall(line.lower()) for line in text.splitlines())
        lines[split].extend(" ".join(tokens) for tokens in found if tokens)
    return lines
