"""TensorFlow Datasets as labelled text, of data sets that are prepared here; nothing is fetched."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from jaxcompress.data.labelled.read import read_labelled_text
from jaxcompress.errors import InputError

NAMES = ("neg", "pos")
MADE = {
    "imdb_reviews": {
        "train": [("Good, café.", 1), ("Bad.", 0), (" <br />", 1), ("Worse.", 0)],
        "test": [("Yes.", 1), ("No.", 0)],
        "unsupervised": [("Who knows?", -1)],
    },
    "ag_news_subset": {
        "train": [(("Fears", "for pensions"), 1), (("The race", "is on"), 0)],
        "validation": [(("A title", "and more"), 1)],
        "test": [(("Storm", "shows straits"), 0)],
    },
    "small": {"train": [("a", 0), ("b", 1)], "test": [("c", 0)]},
    "unlabelled": {"train": [("a", -1), ("b", 1)], "test": [("c", 0)]},
    "not_utf8": {"train": [("a", 0), (b"b\xff", 1)], "test": [("c", 0)]},
    "untested": {"train": [("a", 0), ("b", 1)]},
    "other_features": {"train": [("a", 0)], "test": [("b", 0)]},
}

TEXTS = {
    "ag_news_subset": ("title", "description"),
    "small": ("sentence",),
    "other_features": ("words",),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder of data sets made by builders of this test's own, as array records."""
    import tensorflow_datasets as tfds

    folder = tmp_path_factory.mktemp("tfds")

    def features_of(name):
        label = tfds.features.ClassLabel(names=NAMES)
        texts = TEXTS.get(name, ("text",))
        return {**{text: tfds.features.Text() for text in texts}, "label": label}

    def make(dataset):
        # Without a class in tfds's register, a data set is found by its files.
        is_known = dataset in ("imdb_reviews", "ag_news_subset")

        class Made(tfds.core.GeneratorBasedBuilder, skip_registration=not is_known):
            name = dataset
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self, features=tfds.features.FeaturesDict(features_of(dataset))
                )

            def _split_generators(self, manager):
                return {split: self._generate_examples(split) for split in MADE[dataset]}

            def _generate_examples(self, split):
                for i, (text, label) in enumerate(MADE[dataset][split]):
                    fields = text if isinstance(text, tuple) else (text,)
                    parts = TEXTS.get(dataset, ("text",))
                    yield i, {**dict(zip(parts, fields, strict=True)), "label": label}

        Made(data_dir=folder, file_format="array_record").download_and_prepare()

    for name in MADE:
        make(name)
    return folder.rename(folder.with_name("moved"))  # tfds remembers where it wrote


@pytest.fixture
def read(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    return lambda name: read_labelled_text(f"tfds:{name}")


def pairs(data, split):
    return sorted(zip(data.texts[split], data.labels[split].tolist(), strict=True))


def test_texts_labels_and_classes_are_those_that_were_written(read):
    data = read("imdb_reviews")
    assert pairs(data, "train") == [("Bad.", 0), ("Good, café.", 1), ("Worse.", 0)]
    assert pairs(data, "test") == [("No.", 0), ("Yes.", 1)]
    assert list(data.texts) == ["train", "test"]
    assert data.labels["train"].dtype == np.int32
    assert data.classes == NAMES
    assert data.notes == ("left out 1 of the train split's 4 texts: no tokens in them.",)
    assert read("imdb_reviews").texts == data.texts


def test_a_title_and_a_description_are_one_text_and_validation_is_valid(read):
    data = read("ag_news_subset")
    assert pairs(data, "train") == [("Fears for pensions", 1), ("The race is on", 0)]
    assert pairs(data, "valid") == [("A title and more", 1)]
    assert pairs(data, "test") == [("Storm shows straits", 0)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unlabelled", r"tfds:unlabelled: label -1 of train record [01] is not one of the 2"),
        ("not_utf8", r"tfds:not_utf8: byte 1 of train record [01] is not UTF-8"),
        ("untested", r"tfds:untested: no test split; it has train"),
        ("other_features", r"its features are .*words.*; expected text, or title and description"),
        ("no_such_set", r"tfds:no_such_set: cannot be read or fetched \(DatasetNotFoundError: "),
        ("no name", r"tfds:no name: cannot be read or fetched \(ValueError: "),
    ],
)
def test_what_is_wrong_is_one_line(read, name, message):
    with pytest.raises(InputError, match=message) as caught:
        read(name)
    assert "\n" not in str(caught.value)


def test_data_sets_are_looked_for_where_the_environment_says_now(read, tmp_path, monkeypatch):
    assert pairs(read("small"), "train") == [("a", 0), ("b", 1)]
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError, match="cannot be read or fetched"):
        read("small")


def test_damaged_records_are_one_line(prepared, tmp_path, monkeypatch):
    shutil.copytree(prepared / "small", tmp_path / "small")
    (file,) = tmp_path.glob("small/1.0.0/*train*")
    content = file.read_bytes()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    for damaged in (content[:-70], content.replace(b"sentence", b"SENTENCE"), b""):
        assert damaged != content
        file.write_bytes(damaged)
        with pytest.raises(InputError, match="tfds:small: cannot be read or fetched") as caught:
            read_labelled_text("tfds:small")
        assert "\n" not in str(caught.value)


def test_neither_tensorflow_nor_jax_is_imported(prepared):
    program = (
        "import sys; from jaxcompress.data.labelled.read import read_labelled_text;"
        "assert 'tensorflow_datasets' not in sys.modules;"
        "read_labelled_text('tfds:small');"
        "assert not {'tensorflow', 'jax'} & set(sys.modules)"
    )
    environment = {**os.environ, "TFDS_DATA_DIR": str(prepared)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_where_tensorflow_datasets_is_absent_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r'pip install "jaxcompress\[tfds\]"'):
        read_labelled_text("tfds:imdb_reviews")
