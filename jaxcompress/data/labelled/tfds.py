"""Labelled texts of TensorFlow Datasets.

They are read as array records, so that TensorFlow itself need not be installed.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

from jaxcompress.errors import InputError, not_installed

_SPLITS = {"train": "train", "validation": "valid", "test": "test"}  # by their names there
_TEXTS = (("text",), ("title", "description"), ("sentence",))  # features that are a text
_CHUNK = 4096  # records read at a time


def read_tfds(name: str) -> tuple[dict[str, tuple[list[str], list[int]]], tuple[str, ...]]:
    """Reads texts and labels by split, and the names of the classes.

    The data set is looked for in `$TFDS_DATA_DIR`, or else in `~/tensorflow_datasets`; it is
    downloaded if it is not prepared there. Splits other than train, validation and test are passed
    over.

    Args:
        name: as in `tfds.builder`. Its features must be a `label` of named classes, and either
            `text`, or `title` and `description`, or `sentence`.

    Raises:
        InputError: if TensorFlow Datasets is not installed or fails, or there are other features.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise not_installed(f"tfds:{name}", "tfds", error) from None
    folder = os.environ.get("TFDS_DATA_DIR")
    with _in_one_line(name):
        builder = tfds.builder(name, file_format="array_record", data_dir=folder)
        builder.download_and_prepare()
        sources = builder.as_data_source()
    texts, classes = _features(name, builder.info.features)
    for split in ("train", "test"):
        if split not in sources:
            raise InputError(f"tfds:{name}: no {split} split; it has {', '.join(sources)}.")
    splits = {
        ours: _read(name, theirs, sources[theirs], texts, len(classes))
        for theirs, ours in _SPLITS.items()
        if theirs in sources
    }
    return splits, classes


def _features(name: str, features) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Finds the features that are the text, and the names of the classes."""
    texts = next((some for some in _TEXTS if all(part in features for part in some)), None)
    classes = getattr(features["label"], "names", None) if "label" in features else None
    if texts is None or not classes:
        raise InputError(
            f"tfds:{name}: its features are {', '.join(features)}; expected text, or title and "
            "description, or sentence, and a label of named classes."
        )
    return texts, tuple(classes)


@contextlib.contextmanager
def _in_one_line(name: str) -> Iterator[None]:
    """Turns any error of TensorFlow Datasets into one of one line; theirs are of many kinds."""
    try:
        yield
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        raise InputError(
            f"tfds:{name}: cannot be read or fetched ({type(error).__name__}: {message}); expected "
            "the name of a data set, prepared in $TFDS_DATA_DIR or ~/tensorflow_datasets."
        ) from None


def _read(
    name: str, split: str, source: Sequence, texts: tuple[str, ...], num_classes: int
) -> tuple[list[str], list[int]]:
    """Reads the texts and labels of one split."""
    found, labels = [], []
    for start in range(0, len(source), _CHUNK):
        with _in_one_line(name):
            rows = source.__getitems__(range(start, min(start + _CHUNK, len(source))))
        for number, row in enumerate(rows, start):
            label = int(row["label"])
            if not 0 <= label < num_classes:
                raise InputError(
                    f"tfds:{name}: label {label} of {split} record {number} is not one of the "
                    f"{num_classes} classes."
                )
            try:
                found.append(" ".join(row[part].decode("utf-8") for part in texts))
            except UnicodeDecodeError as error:
                raise InputError(
                    f"tfds:{name}: byte {error.start} of {split} record {number} is not UTF-8; "
                    "expected text in UTF-8."
                ) from None
            labels.append(label)
    return found, labels
