"""fastText's own models: rows as fastText 0.9.2 gives them, and by a derivation of their own."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from jaxcompress import InputError
from jaxcompress.data.vectors.files import read_vectors

GOLDEN = Path(__file__).parents[1] / "golden"
ROWS = np.arange(36, dtype=np.float32).reshape(12, 3) / 8


def model(  # a model of two words, "</s>" and "ab", a label, and ten rows of n-grams
    rows=ROWS, bucket=10, ngrams=(2, 2), version=12, kind=2, quantised=False, pruned=0
):
    settings = struct.pack("<12id", 3, 5, 5, 1, 5, 1, 2, kind, bucket, *ngrams, 100, 1e-4)
    counts = struct.pack("<3i2q", 3, 2, 1, 7, pruned or -1)
    words = b"".join(
        word + b"\0" + struct.pack("<qb", 3, kind)
        for word, kind in ((b"</s>", 0), (b"ab", 0), (b"__label__x", 1))
    )
    tail = struct.pack("<?2q", quantised, *rows.shape) + rows.tobytes() + b"\0output"
    head = struct.pack("<2i", 793712314, version)
    return head + settings + counts + words + bytes(8 * pruned) + tail


def bucket_of(ngram):
    code = 2166136261  # FNV-1a of 32 bits
    for byte in ngram:
        code = (code ^ byte) * 16777619 % 2**32
    return code % 10


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_rows_are_those_that_fasttext_gives(tmp_path, ending):
    expected = read_vectors(str(GOLDEN / "fasttext.vec"))
    content = (GOLDEN / "fasttext.bin").read_bytes()
    file = tmp_path / f"model.bin{ending}"
    file.write_bytes(gzip.compress(content) if ending else content)
    vectors = read_vectors(str(file))
    assert vectors.words == expected.words
    assert {"</s>", "café", "東京"} <= set(vectors.words)
    np.testing.assert_allclose(vectors.rows, expected.rows, rtol=1e-6, atol=1e-7)
    assert vectors.notes == (
        "a fastText model: a word's vector is the mean of its own row and those of its n-grams of "
        "2 to 4 characters, as in the model's .vec file; the n-grams were left, so a word that is "
        "not in the model has no row.",
    )
    assert read_vectors(str(file), max_rows=2).words == expected.words[:2]


@pytest.mark.parametrize("name", ["m.bin", "m"])
@pytest.mark.parametrize(
    ("lengths", "ngrams"),
    [
        ((2, 2), (b"<a", b"ab", b"b>")),
        ((1, 2), (b"a", b"b", b"<a", b"ab", b"b>")),  # a mark alone is none
        ((3, 9), (b"<ab", b"ab>", b"<ab>")),
    ],
)
def test_a_row_is_the_mean_of_the_words_own_and_its_ngrams(tmp_path, name, lengths, ngrams):
    (tmp_path / name).write_bytes(model(ngrams=lengths))
    vectors = read_vectors(str(tmp_path / name))
    assert vectors.words == ["</s>", "ab"]
    ids = [1, *(2 + bucket_of(ngram) for ngram in ngrams)]
    np.testing.assert_allclose(vectors.rows, [ROWS[0], ROWS[ids].mean(axis=0)])


@pytest.mark.parametrize(
    "settings", [{"ngrams": (0, 0)}, {"bucket": 0, "rows": ROWS[:2]}, {"version": 11, "kind": 3}]
)
def test_without_subwords_rows_are_exact(tmp_path, settings):
    (tmp_path / "m.bin").write_bytes(model(**settings))
    vectors = read_vectors(str(tmp_path / "m.bin"))
    np.testing.assert_array_equal(vectors.rows, ROWS[:2])
    assert vectors.notes == (
        "a fastText model without subwords: the rows of its words were read, and no more.",
    )


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_what_is_no_model_is_one_line(tmp_path, ending):
    whole = model()
    for content, message in (
        (model(quantised=True), r"a quantised fastText model \(\.ftz\).*expected the \.bin or the"),
        (model(quantised=True, pruned=4), r"a quantised fastText model"),
        (model(version=13), r"version 13; expected 11 or 12"),
        (model(rows=ROWS[:5]), r"5 rows of 3 numbers, where it says 2 words, 10 n-grams and 3"),
        *((whole[:size], "model that is cut short") for size in (7, 30, 80, 100, 120, 150, 200)),
    ):
        file = tmp_path / f"m.bin{ending}"
        file.write_bytes(gzip.compress(content) if ending else content)
        with pytest.raises(InputError, match=rf"m\.bin{ending}: .*{message}") as caught:
            read_vectors(str(file))
        assert "\n" not in str(caught.value)
