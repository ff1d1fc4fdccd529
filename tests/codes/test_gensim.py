"""gensim reads what codes write, and codes are made of what gensim has."""

import numpy as np
import pytest

from jaxcompress import Codes
from jaxcompress.data.vectors.arrays import take_rows

gensim = pytest.importorskip("gensim")
from gensim.models import KeyedVectors  # noqa: E402

WORDS = ["king", "a b", "queen", "élan", "7", "x"]
RNG = np.random.default_rng(0)
CODES = Codes(RNG.integers(0, 8, (6, 3)), RNG.normal(size=(3, 8, 5)), WORDS)


def test_gensim_opens_word2vec_text(tmp_path):
    CODES.to_word2vec(tmp_path / "v.txt")
    vectors = KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"), binary=False)
    assert vectors.index_to_key == ["king", "a_b", "queen", "élan", "7", "x"]
    np.testing.assert_array_equal(vectors.vectors, CODES.decode())


def test_codes_become_keyed_vectors_which_compress_takes():
    vectors = CODES.to_keyed_vectors()
    assert isinstance(vectors, KeyedVectors)
    np.testing.assert_array_equal(vectors["élan"], CODES["élan"])
    found = [word for word, _ in vectors.most_similar("king", topn=3)]
    assert found == [word for word, _ in CODES.nearest("king", 3)]
    rows, words = take_rows(vectors)
    assert words == WORDS
    np.testing.assert_array_equal(rows, CODES.decode())


def test_rows_without_words_and_of_one_name():
    numbered = Codes(CODES.codes, CODES.codebooks).to_keyed_vectors()
    assert numbered.index_to_key == ["0", "1", "2", "3", "4", "5"]
    vectors = Codes(CODES.codes[:3], CODES.codebooks, ["a", "b", "a"]).to_keyed_vectors()
    assert vectors.index_to_key == ["a", "b"]
    np.testing.assert_array_equal(vectors.vectors, CODES.decode([0, 1]))
