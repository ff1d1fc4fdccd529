"""Labelled texts of any source: reviews, CSV and TSV files, TensorFlow Datasets, planted polarity.

All sources are checked alike: texts without a token are counted and left out, and every class has
texts to train on.

Axis letters: C classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcompress.data.labelled import imdb, planted
from jaxcompress.data.labelled.csv_files import read_csv
from jaxcompress.data.labelled.imdb import FOLDER, find_reviews, read_reviews
from jaxcompress.data.labelled.planted import PLANTED
from jaxcompress.data.labelled.tfds import read_tfds
from jaxcompress.data.paths import find_either
from jaxcompress.data.text.tokenizer import is_empty
from jaxcompress.errors import InputError

TFDS = "tfds:"  # before the name of a data set of TensorFlow Datasets

_GET_TEXT = (
    "Expected aclImdb, aclImdb_v1.tar.gz, tfds:NAME, a CSV file of text,label, or planted; give "
    "another source with --config.data.source=SOURCE."
)

_Splits = dict[str, tuple[list[str], list[int]]]  # texts and labels, by split


class LabelledText(NamedTuple):
    """Texts of C classes.

    Attributes:
        texts: texts by split: "train", "test", and "valid" if the source has it.
        labels: int32 [texts] by split, each the number of a class, in [0, C).
        classes: the C names of the classes.
        notes: lines for the user about texts that were left out, and about missing classes.
        source: what was read.
    """

    texts: dict[str, list[str]]
    labels: dict[str, np.ndarray]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    source: str = ""


def read_labelled_text(
    source: str,
    *,
    valid: str | None = None,
    test: str | None = None,
    columns: Sequence[str] = (),
) -> LabelledText:
    """Reads texts and their labels.

    Args:
        source: `aclImdb`, a folder, or its archive aclImdb_v1.tar.gz; `tfds:NAME`, a data set of
            TensorFlow Datasets, which downloads it if it is not prepared; a CSV file of training
            texts, or a TSV file if its name ends in .tsv; or `planted`.
        valid: such a file of texts to validate by, if the source is a file; None: none.
        test: such a file of texts to test by; it must be given if the source is a file, and not
            otherwise.
        columns: those of such files without a header, in their order, as `read_csv` takes them;
            (): they are told by the rows.

    Raises:
        InputError: if a file is missing or does not hold labelled texts: with file, line, and what
            was expected.
    """
    if source == PLANTED or source.startswith(TFDS):
        place = None
    elif Path(source).name == FOLDER:
        place = find_reviews(source)
    else:
        place = find_either(source, _GET_TEXT)
    is_reviews = place is not None and (place.is_dir() or place.name.endswith((".tar.gz", ".tgz")))
    if place is not None and not is_reviews:
        return _checked(*read_csv(_csv_files(place, valid, test), columns), str(place))
    if valid is not None or test is not None or columns:
        raise InputError(
            f"{source} has its own splits; data.valid, data.test and data.columns are for CSV "
            "files."
        )
    if is_reviews:
        return _checked(read_reviews(place), imdb.CLASSES, str(place))
    if source == PLANTED:
        return _checked(planted.planted_reviews(), planted.CLASSES, source)
    return _checked(*read_tfds(source.removeprefix(TFDS)), source)


def _csv_files(train: Path, valid: str | None, test: str | None) -> dict[str, Path]:
    """Finds the CSV file of each split."""
    if test is None:
        raise InputError(
            f"{train}: no test split; expected another CSV file by --config.data.test=FILE."
        )
    files = {"train": train, "test": find_either(test, "Expected a CSV file of text,label.")}
    if valid is not None:
        files["valid"] = find_either(valid, "Expected a CSV file of text,label.")
    return files


def _checked(splits: _Splits, classes: tuple[str, ...], source: str) -> LabelledText:
    """Leaves out what cannot be used, with notes; checks that each class has texts to train on."""
    if len(classes) < 2:
        raise InputError(f"{source}: only one class, {''.join(classes)}; expected two or more.")
    splits, empty = _without_empty(splits, source)
    splits, shared = _kept_apart(splits, source)
    texts = {split: some for split, (some, _) in splits.items()}
    labels = {split: np.array(numbers, np.int32) for split, (_, numbers) in splits.items()}
    notes = [*empty, *shared]
    for split, some in labels.items():
        counts = np.bincount(some, minlength=len(classes))
        if missing := [name for name, count in zip(classes, counts, strict=True) if not count]:
            lacks = f"the {split} split has no text of class {', '.join(missing)}"
            if split == "train":
                raise InputError(f"{source}: {lacks}; expected texts of every class to train on.")
            notes.append(f"{lacks}.")
    return LabelledText(texts, labels, classes, tuple(notes), source)


def _without_empty(splits: _Splits, source: str) -> tuple[_Splits, list[str]]:
    """Leaves texts without tokens out; returns the others, and notes."""
    found, notes = {}, []
    for split, (texts, labels) in splits.items():
        kept = [(t, n) for t, n in zip(texts, labels, strict=True) if not is_empty(t)]
        if not kept:
            raise InputError(
                f"{source}: the {split} split has no text with a token; expected one or more."
            )
        if len(kept) < len(texts):
            notes.append(
                f"left out {len(texts) - len(kept):,} of the {split} split's {len(texts):,} texts: "
                "no tokens in them."
            )
        found[split] = tuple(map(list, zip(*kept, strict=True)))
    return found, notes


def _kept_apart(splits: _Splits, source: str) -> tuple[_Splits, list[str]]:
    """Leaves validation texts out of those to train on; returns the splits, and notes.

    A run would otherwise choose its best state by texts that it knows by heart. A test split stays
    as it is, since its figures are compared with those of others; what it shares is noted.
    """
    notes = []
    if "valid" in splits:
        held_out = set(splits["valid"][0])
        pairs = list(zip(*splits["train"], strict=True))
        kept = [(text, label) for text, label in pairs if text not in held_out]
        if not kept:
            raise InputError(
                f"{source}: all {len(pairs):,} texts to train on are validation texts too; leave "
                "out data.valid, so that some of them are held out."
            )
        if len(kept) < len(pairs):
            notes.append(
                f"left out {len(pairs) - len(kept):,} of the train split's {len(pairs):,} texts: "
                "they are validation texts too."
            )
            splits = splits | {"train": tuple(map(list, zip(*kept, strict=True)))}
    others = [split for split in splits if split != "test"]
    seen = {text for split in others for text in splits[split][0]}
    tested = splits["test"][0]
    if twice := sum(text in seen for text in tested):
        notes.append(
            f"kept {twice:,} of the test split's {len(tested):,} texts that are in the "
            f"{' or '.join(others)} split too."
        )
    return splits, notes
