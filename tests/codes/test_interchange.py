import subprocess
import sys

import faiss
import numpy as np
import pytest

from jaxcompress import Codes, InputError
from jaxcompress.data.vectors.files import read_vectors


def make_codes(num_rows=300, num_codebooks=5, num_codewords=8, dim=7, words=None):
    rng = np.random.default_rng(0)
    return Codes(
        rng.integers(0, num_codewords, (num_rows, num_codebooks)),
        rng.normal(size=(num_codebooks, num_codewords, dim)).astype(np.float32),
        words,
    )


SHAPES = [(5, 8, 7), (32, 16, 10), (3, 5, 4), (4, 256, 6), (3, 300, 7), (2, 65_536, 3), (9, 1, 2)]


@pytest.mark.parametrize(("num_codebooks", "num_codewords", "dim"), SHAPES)
def test_faiss_reconstructs_what_decode_gives(num_codebooks, num_codewords, dim):
    codes = make_codes(300, num_codebooks, num_codewords, dim)
    index = codes.to_faiss()
    assert isinstance(index, faiss.IndexResidualQuantizer)
    assert index.is_trained
    assert index.ntotal == 300
    assert index.metric_type == faiss.METRIC_L2
    table = codes.decode()
    np.testing.assert_array_equal(index.reconstruct_n(0, 300), table)
    np.testing.assert_array_equal(index.reconstruct(17), table[17])


@pytest.mark.parametrize("num_codewords", [8, 11])
@pytest.mark.parametrize("metric", ["l2", "inner_product"])
def test_faiss_finds_the_nearest_decoded_rows(metric, num_codewords):
    codes = make_codes(num_codewords=num_codewords)
    table = codes.decode().astype(np.float64)
    queries = np.random.default_rng(1).normal(size=(20, 7)).astype(np.float32)
    if metric == "l2":
        expected = ((queries[:, None] - table) ** 2).sum(axis=-1)
        order = np.argsort(expected, axis=1)[:, :10]
    else:
        expected = queries @ table.T
        order = np.argsort(-expected, axis=1)[:, :10]
    scores, found = codes.to_faiss(metric=metric).search(queries, 10)
    np.testing.assert_array_equal(found, order)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, order, 1), atol=1e-4)


def test_an_index_takes_rows_of_its_own_and_survives_a_file(tmp_path):
    codes = make_codes(num_codebooks=1, num_codewords=16)
    index = codes.to_faiss()
    faiss.write_index(index, str(tmp_path / "a.faiss"))
    index = faiss.read_index(str(tmp_path / "a.faiss"))
    np.testing.assert_array_equal(index.reconstruct_n(0, 300), codes.decode())
    near = codes.codebooks[0, [3, 12]] + 0.01
    index.add(near)  # of one codebook, the nearest codeword
    assert index.ntotal == 302
    np.testing.assert_array_equal(index.reconstruct_n(300, 2), codes.codebooks[0, [3, 12]])


def test_the_index_is_as_small_as_the_codes(tmp_path):
    codes = make_codes(num_rows=5000, num_codebooks=32, num_codewords=16)
    index = codes.to_faiss()
    assert index.code_size == 16
    faiss.write_index(index, str(tmp_path / "a.faiss"))
    assert codes.num_bytes() < (tmp_path / "a.faiss").stat().st_size < codes.num_bytes() + 1000
    assert faiss.read_index(str(tmp_path / "a.faiss")).rq.codebook_cross_products.size() == 0


def test_what_faiss_cannot_do_is_one_line(monkeypatch):
    with pytest.raises(InputError, match="metric is 'cosine'; it must be") as caught:
        make_codes().to_faiss(metric="cosine")
    assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r'pip install "jaxcompress\[faiss\]"') as caught:
        make_codes().to_faiss()
    assert "\n" not in str(caught.value)


def test_word2vec_text_is_a_header_and_a_line_a_row(tmp_path):
    codebooks = np.array([[[1.5, -2.0], [0.1, 1e-20]]], np.float32)
    Codes(np.array([[1], [0]]), codebooks, ["new york", "b"]).to_word2vec(tmp_path / "v.txt")
    assert (tmp_path / "v.txt").read_text() == (
        "2 2\nnew_york 0.100000001 9.99999968e-21\nb 1.5 -2\n"
    )


ODD_WORDS = ["king", "a b", "tab\there", "no\u00a0break", "\u3000", "  ", "12", "caf\udce9", "0.5"]
PLAIN_WORDS = ["king", "a_b", "tab_here", "no_break", "_", "__", "12", "caf\udce9", "0.5"]


def test_word2vec_text_is_read_back_exactly(tmp_path):
    for name, codes, words in (
        ("words", make_codes(9, words=ODD_WORDS), PLAIN_WORDS),
        ("numbers", make_codes(5000), [str(i) for i in range(5000)]),
        ("one", make_codes(30, dim=1), [str(i) for i in range(30)]),
    ):
        codes.to_word2vec(tmp_path / f"{name}.txt")
        vectors = read_vectors(str(tmp_path / f"{name}.txt"))
        assert vectors.words == words
        np.testing.assert_array_equal(vectors.rows, codes.decode())
        assert not vectors.notes
    assert not list(tmp_path.glob("*.tmp"))


def test_a_word_without_letters_gets_a_name(tmp_path):
    make_codes(2, words=["", "b"]).to_word2vec(tmp_path / "v.txt")
    lines = (tmp_path / "v.txt").read_text().splitlines()
    assert [line.split(" ")[0] for line in lines[1:]] == ["_", "b"]


def test_a_file_that_could_not_be_written_whole_is_not_there(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError("no space left")

    codes = make_codes()
    monkeypatch.setattr(Codes, "decode", full)  # once the file is open
    with pytest.raises(OSError, match="no space left"):
        codes.to_word2vec(tmp_path / "v.txt")
    assert not list(tmp_path.iterdir())


def test_gensim_that_is_missing_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(
        InputError, match=r'gensim cannot be .*: pip install "jaxcompress\[gensim\]"'
    ):
        make_codes().to_keyed_vectors()


def test_faiss_is_not_imported_before_it_is_used():
    program = "import sys, jaxcompress; assert 'faiss' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
