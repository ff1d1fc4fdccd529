"""The artefact of two thin matrices: rows, products, sizes, files."""

import jax
import numpy as np
import pytest

import jaxcompress
from jaxcompress import InputError, LowRank

_RNG = np.random.default_rng(0)
NUMBERS, BASIS = _RNG.normal(size=(7, 2)), _RNG.normal(size=(2, 4))
WORDS = [f"w{i}" for i in range(7)]
TABLE, DENSE = LowRank(NUMBERS, BASIS, WORDS, {"source": "here"}), NUMBERS @ BASIS


def test_rows_and_products_are_those_of_the_two_matrices():
    ids = np.array([[6, 0], [3, 3]])
    np.testing.assert_allclose(TABLE.decode(), DENSE, rtol=1e-5)
    np.testing.assert_allclose(TABLE["w3"], DENSE[3], rtol=1e-5)
    np.testing.assert_allclose(jax.jit(TABLE.lookup)(ids), DENSE[ids], rtol=1e-5)
    query = _RNG.normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_allclose(TABLE.attend(query), query @ DENSE.T, rtol=1e-4, atol=1e-5)
    cosines = DENSE @ DENSE[2] / np.linalg.norm(DENSE, axis=1) / np.linalg.norm(DENSE[2])
    best = max((c, w) for c, w in zip(cosines, WORDS, strict=True) if w != "w2")
    (word, cosine), *_ = TABLE.nearest("w2", 1)
    assert word == best[1]
    np.testing.assert_allclose(cosine, best[0], rtol=1e-5)


def test_a_file_gives_the_table_back_and_is_as_large_as_it_says(tmp_path):
    file = tmp_path / "t.safetensors"
    TABLE.save(file)
    again = jaxcompress.load(file)
    assert isinstance(again, LowRank)
    np.testing.assert_array_equal(again.decode(), TABLE.decode())
    assert list(again.words) == WORDS
    assert again.metadata["source"] == "here"
    assert TABLE.num_bytes() == 4 * (7 * 2 + 2 * 4)
    assert TABLE.file_bytes() == file.stat().st_size
    assert TABLE.figures() == {"rank": 2}
    LowRank(NUMBERS, BASIS).save(file)
    assert jaxcompress.load(file).words is None
    with pytest.raises(InputError, match=r"holds factors; expected codes\. Open it with load\."):
        jaxcompress.load_codes(file)


def test_matrices_that_do_not_fit_are_refused():
    for arrays, message in (
        ((NUMBERS, BASIS.T), r"numbers are \[7, 2\], the basis \[4, 2\]; expected \[N, R\]"),
        ((NUMBERS[0], BASIS), r"numbers are \[2\]"),
        ((NUMBERS, BASIS, ["a"]), "1 words and 7 rows"),
    ):
        with pytest.raises(InputError, match=message):
            LowRank(*arrays)
