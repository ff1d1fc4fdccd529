"""Text as word ids: Penn Treebank, WikiText, and plain text of the user's own.

A line is split at white space, and its end is a token too, `<eos>`, as in Mikolov's Penn Treebank
and in WikiText; so counts and perplexities are those of the literature.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcompress.data.paths import find, find_folder
from jaxcompress.data.text.stdlib import SOURCE, texts
from jaxcompress.errors import InputError
from jaxcompress.storage.names import read_names

SPLITS = ("train", "valid", "test")


END, UNKNOWN = "<eos>", "<unk>"


_NAMES = ("{}.txt", "ptb.{}.txt", "wiki.{}.tokens", "wiki.{}.raw", "{}")


_STDLIB_WORD = re.compile(r"[a-z]+|[0-9]+|[.,:;()'\"]")


class Corpus(NamedTuple):
    """A text in three parts.

    Attributes:
        words: the V distinct words by id, `END` and `UNKNOWN` among them.
        splits: int32 [tokens] by name ("train", "valid", "test").
        notes: what a user should know of the reading, a line each.
        source: what was read.
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
            words of the training split, by falling frequency, ties by first use.
        max_vocab: V at most; rarer words become `<unk>`.

    Raises:
        InputError: with file, line, and what was expected.
    """
    if max_vocab is not None and max_vocab < 3:
        raise InputError(f"data.max_vocab is {max_vocab}; it must be at least 3.")
    if path == SOURCE:
        lines, source = _stdlib_lines(), SOURCE
    else:
        folder = find_folder(path, _GET_TEXT)
        files = {split: _split_file(folder, split) for split in SPLITS}
        lines, source = {split: _read_lines(file) for split, file in files.items()}, str(folder)
    met: dict[str, int] = {}
    tokens = {split: _number(lines[split], met) for split in SPLITS}
    if vocabulary is None:
        words = _most_common(tokens["train"], met, max_vocab)
    else:
        words = _read_vocabulary(find(vocabulary, "Expected a word a line."), max_vocab)
    return _as_ids(tokens, met, words, source)


_GET_TEXT = (
    "Expected a folder with train, valid and test files. Fetch Penn Treebank (Mikolov's) with: "
    "python -m jaxcompress.data.download ptb (or wikitext-2, wikitext-103); or give another folder "
    "with --config.data.path=FOLDER."
)


def encode(words: Iterable[str], ids: dict[str, int]) -> list[int]:
    """Ids of words; one that is unknown as it stands is tried in lower case, then `<unk>`."""
    unknown = ids[UNKNOWN]
    return [ids.get(word, ids.get(word.lower(), unknown)) for word in words]


def _split_file(folder: Path, split: str) -> Path:
    names = [name.format(split) for name in _NAMES]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise InputError(f"{folder}: no {split} split; expected one of {', '.join(names)}.")
    return found[0]


def _read_lines(file: Path) -> list[str]:
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{file}:{line}: byte {error.start} is not UTF-8; expected text in UTF-8."
        ) from None
    lines = text.removeprefix("\ufeff").split("\n")
    lines = lines[:-1] if not lines[-1].strip() else lines
    if not any(line.strip() for line in lines):
        raise InputError(f"{file} is empty; expected text, words separated by spaces.")
    return lines


def _number(lines: Iterable[str], met: dict[str, int]) -> np.ndarray:
    """Numbers the words as they are met, and adds new ones to `met`: far smaller than strings."""
    words = (word for line in lines for word in (*line.split(), END))
    return np.fromiter((met.setdefault(word, len(met)) for word in words), np.int32)


def _most_common(train: np.ndarray, met: dict[str, int], max_vocab: int | None) -> list[str]:
    """The words of the training split and the special ones, by falling frequency."""
    counts, special = np.bincount(train, minlength=len(met)), (END, UNKNOWN)
    by_number = list(met)
    ordered = [by_number[i] for i in np.argsort(-counts, kind="stable") if counts[i]]
    ordered += [word for word in special if word not in ordered]
    others = [word for word in ordered if word not in special]
    kept = {*special, *others[: (max_vocab or len(ordered)) - len(special)]}
    return [word for word in ordered if word in kept]


def _read_vocabulary(file: Path, max_vocab: int | None) -> list[str]:
    words = read_names(file)
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
    tokens: dict[str, np.ndarray], met: dict[str, int], words: list[str], source: str
) -> Corpus:
    ids = {word: i for i, word in enumerate(words)}
    id_of_met = np.array([ids.get(word, ids[UNKNOWN]) for word in met], np.int32)
    was_missing = np.array([word not in ids for word in met])
    notes = []
    for split, some in tokens.items():
        if missing := int(was_missing[some].sum()):
            notes.append(
                f"{missing:,} of the {split} split's {len(some):,} tokens are not in the "
                f"vocabulary and became {UNKNOWN}."
            )
    splits = {split: id_of_met[some] for split, some in tokens.items()}
    return Corpus(words, splits, tuple(notes), source)


def _stdlib_lines() -> dict[str, list[str]]:
    """One document in twenty is for validation and one for the test, the rest to train on."""
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    for i, text in enumerate(texts()):
        split = {0: "valid", 1: "test"}.get(i % 20, "train")
        found = (_STDLIB_WORD.findall(line.lower()) for line in text.splitlines())
        lines[split].extend(" ".join(words) for words in found if words)
    return lines
