"""Texts with labels: film reviews, CSV files, TensorFlow Datasets, and texts with planted polarity.

Every source is checked alike: texts without a token are counted and left out, every class has
texts to train on.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcompress.data import imdb_reviews, labelled_csv, planted_reviews, tfds_text
from jaxcompress.data.paths import find_either
from jaxcompress.data.tokenizer import is_empty
from jaxcompress.errors import InputError

PLANTED = "planted"
TFDS = "tfds:"
_GET_TEXT = (
    "Expected aclImdb, aclImdb_v1.tar.gz, tfds:NAME, a CSV file of text,label, or planted; give "
    "another with --config.data.source=SOURCE."
)


class LabelledText(NamedTuple):
    """Texts of C classes.

    Attributes:
        texts: by split, "train", "test", and "valid" where the source has one.
        labels: int32 by split, in [0, C).
        classes: their C names.
        notes: what a user should know of the reading, a line each.
        source: what was read.
    """

    texts: dict[str, list[str]]
    labels: dict[str, np.ndarray]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    source: str = ""


def read_labelled_text(
    source: str, *, valid: str | None = None, test: str | None = None
) -> LabelledText:
    """Reads texts and their labels.

    Args:
        source: `aclImdb`, a folder or its archive aclImdb_v1.tar.gz; `tfds:NAME`, a data set of
            TensorFlow Datasets, which downloads it where it is not prepared; a CSV file of training
            texts; or `planted`.
        valid: where the source is a CSV file, another one to choose by; None: none.
        test: where the source is a CSV file, another one to test by.

    Raises:
        InputError: with file, line, and what was expected.
    """
    if source == PLANTED or source.startswith(TFDS):
        place = None
    elif Path(source).name == imdb_reviews.NAME:
        place = imdb_reviews.find_reviews(source)
    else:
        place = find_either(source, _GET_TEXT)
    is_reviews = place is not None and (place.is_dir() or place.name.endswith((".tar.gz", ".tgz")))
    if place is not None and not is_reviews:
        return _checked(*labelled_csv.read_csv(_csv_files(place, valid, test)), str(place))
    if valid is not None or test is not None:
        raise InputError(
            f"{source} has its own splits; data.valid and data.test are for CSV files."
        )
    if is_reviews:
        return _checked(imdb_reviews.read_reviews(place), imdb_reviews.CLASSES, str(place))
    if source == PLANTED:
        return _checked(planted_reviews.planted_reviews(), planted_reviews.CLASSES, source)
    return _checked(*tfds_text.read_tfds(source.removeprefix(TFDS)), source)


def _csv_files(train: Path, valid: str | None, test: str | None) -> dict[str, Path]:
    if test is None:
        raise InputError(
            f"{train}: no test split; expected another CSV file by --config.data.test=FILE."
        )
    files = {"train": train, "test": find_either(test, "Expected a CSV file of text,label.")}
    if valid is not None:
        files["valid"] = find_either(valid, "Expected a CSV file of text,label.")
    return files


def _checked(
    splits: dict[str, tuple[list[str], list[int]]], classes: tuple[str, ...], source: str
) -> LabelledText:
    """Leaves empty texts out, and says which classes are missing."""
    if len(classes) < 2:
        raise InputError(f"{source}: only one class, {''.join(classes)}; expected two or more.")
    texts, labels, notes = {}, {}, []
    for split, (some, numbers) in splits.items():
        kept = [i for i, text in enumerate(some) if not is_empty(text)]
        if not kept:
            raise InputError(f"{source}: no text in the {split} split; expected one or more.")
        if len(kept) < len(some):
            notes.append(
                f"{len(some) - len(kept):,} of the {split} split's {len(some):,} texts are empty "
                "and left out."
            )
        texts[split] = [some[i] for i in kept]
        labels[split] = np.array(numbers, np.int32)[kept]
        counts = np.bincount(labels[split], minlength=len(classes))
        if missing := [name for name, count in zip(classes, counts, strict=True) if not count]:
            lacks = f"the {split} split has no text of class {', '.join(missing)}"
            if split == "train":
                raise InputError(f"{source}: {lacks}; expected texts of every class to train on.")
            notes.append(f"{lacks[0].upper()}{lacks[1:]}.")
    return LabelledText(texts, labels, classes, tuple(notes), source)
