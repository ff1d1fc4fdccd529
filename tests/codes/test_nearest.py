"""Nearest rows and analogies: cosines of the rows as they are decoded, of any table and query."""

import numpy as np
import pytest

from jaxcompress import Codes, InputError, SparseAnchors

RNG = np.random.default_rng(0)


def make_codes(scale=1.0, offset=0.0, num_rows=300):
    """Codes whose last two codebooks cancel: one has `offset` added to all, the other taken off."""
    codebooks = RNG.normal(size=(4, 8, 6))
    codebooks[2:] += np.array([offset, -offset])[:, None, None]
    codes = RNG.integers(0, 8, (num_rows, 4))
    return Codes(codes, (scale * codebooks).astype(np.float32))


def make_anchors(scale=1.0, offset=0.0, num_rows=300):
    """Mixes of anchors that cancel: one has `offset` added to it, another taken off."""
    entries = RNG.normal(size=(num_rows, 8)) * (RNG.random((num_rows, 8)) < 0.5)
    entries[:, -1] = entries[:, -2] = 1
    anchors = RNG.normal(size=(8, 6))
    anchors[-2:] += np.array([[offset], [-offset]])
    return SparseAnchors.from_csr(entries, scale * anchors)


def cosines_of(codes, query):
    """Cosines of all decoded rows with a query, in float64."""
    rows, query = codes.decode().astype(np.float64), np.asarray(query, np.float64)
    return rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)


def check_nearest(codes, found, query, left_out=()):
    expected = cosines_of(codes, query)
    expected[list(left_out)] = -np.inf
    order = np.lexsort((np.arange(len(codes)), -expected))[: len(found)]
    np.testing.assert_allclose([c for _, c in found], expected[order], rtol=0, atol=1e-12)
    np.testing.assert_allclose(expected[[int(word) for word, _ in found]], expected[order],
                               rtol=0, atol=1e-12)  # fmt: skip


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1, 0), (1, 1e3), (1, 1e6), (1e-3, 1e7), (1e-38, 0), (1e-38, 1e5), (1e37, 0)],
)
@pytest.mark.parametrize("make", [make_codes, make_anchors])
def test_cosines_are_those_of_the_decoded_rows(make, scale, offset):
    codes = make(scale, offset)
    for query in (codes[3], RNG.normal(size=6)):
        check_nearest(codes, codes.nearest(query, 20), query)
    check_nearest(codes, codes.nearest(7, 20), codes[7], [7])
    a, b, c = codes.decode([1, 2, 3]).astype(np.float64)
    query = b / np.linalg.norm(b) - a / np.linalg.norm(a) + c / np.linalg.norm(c)
    check_nearest(codes, codes.analogy(1, 2, 3, 20), query, [1, 2, 3])


@pytest.mark.parametrize("scale", [1e-300, 1e-25, 1e30, 1e300])
def test_the_length_of_a_query_does_not_matter(scale):
    codes, query = make_codes(), RNG.normal(size=6)
    expected, found = codes.nearest(query), codes.nearest(scale * query)
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([c for _, c in found], [c for _, c in expected], rtol=1e-12)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ([np.inf] * 6, "the vector holds NaN or infinity; expected finite numbers"),
        ([np.nan] * 6, "the vector holds NaN or infinity"),
        (np.ones(5), r"the vector has shape \[5\]; expected \[6\]"),
        (np.ones((1, 6)), r"the vector has shape \[1, 6\]; expected \[6\]"),
        (["a"] * 6, "the vector's values are no list of numbers, but strings"),
        ([1j] * 6, "the vector's values are no list of numbers, but complex numbers"),
        ([[1], [2, 3]], "rows differ in length"),
    ],
)
def test_a_query_that_is_no_finite_vector_is_one_line(query, message):
    with pytest.raises(InputError, match=message) as caught:
        make_codes().nearest(query)
    assert "\n" not in str(caught.value)


def test_rows_of_zeros_and_a_query_of_zeros_have_cosine_0():
    codebooks = np.float32([[[1, 0], [0.1, 0]], [[-1, 0], [0, 1]]])
    codes = Codes(np.array([[0, 0], [1, 1], [0, 0], [0, 1]]), codebooks)
    assert [c for _, c in codes.nearest([0.0, -1.0])][:2] == [0, 0]
    assert [c for _, c in codes.nearest(np.zeros(2))] == [0, 0, 0, 0]


def test_a_row_that_rounds_to_zero_has_cosine_0():
    codebooks = np.float32([[[1e8, 0]], [[0.1, 0]], [[-1e8, 0]]])
    codes = Codes(np.zeros((1, 3), int), codebooks)
    assert codes.decode().tolist() == [[0, 0]]
    assert codes.nearest([1.0, 0.0]) == [("0", 0.0)]


def test_a_row_whose_codewords_cancel_to_almost_nothing_hides_no_other():
    """As sums of products say, the first row is a million times as near as can be."""
    codebooks = np.float32([[[1e8, 0], [1, 1]], [[3, 1e-6], [0, 0]], [[-1e8, 0], [0, 0]]])
    codes = Codes(np.array([[0, 0, 0], [1, 1, 1]]), codebooks)
    assert codes.decode().tolist() == [[0, np.float32(1e-6)], [1, 1]]
    assert codes.nearest([1.0, 0.0], 1) == [("1", pytest.approx(np.sqrt(0.5)))]


def test_a_row_that_is_nearer_than_its_codewords_say_is_found():
    """As a sum the first row is (5, 6); float32 has no 100,000,005, and decodes (8, 6)."""
    codebooks = np.float32([[[1e8, 6], [1, 1]], [[5, 0], [0, 0]], [[-1e8, 0], [0, 0]]])
    codes = Codes(np.array([[0, 0, 0], [1, 1, 1]]), codebooks)
    assert codes.decode().tolist() == [[8, 6], [1, 1]]
    assert codes.nearest([1.0, 0.0], 1) == [("0", pytest.approx(0.8))]


def test_a_row_that_is_nearer_than_its_anchors_say_is_found():
    """By its anchors the first row is 1e-45 times (0.8, 0.6); float32 has 1.4e-45 and 0 there."""
    anchors = np.array([[0.8e-23, 0.6e-23], [0.9, 0.4]])
    table = SparseAnchors.from_csr(np.diag([1e-22, 1]), anchors)
    assert (table[0] > 0).tolist() == [True, False]
    assert table.nearest([1.0, 0.0], 1) == [("0", 1.0)]


def test_many_codewords_take_memory_and_time_by_their_number_and_not_by_its_square():
    for num_codebooks, num_codewords in ((2, 65_536), (4, 4096)):
        codebooks = RNG.normal(size=(num_codebooks, num_codewords, 3)).astype(np.float32)
        codes = Codes(RNG.integers(0, num_codewords, (200, num_codebooks)), codebooks)
        check_nearest(codes, codes.nearest(5, 9), codes[5], [5])


@pytest.mark.parametrize("make", [make_codes, make_anchors])
def test_few_rows_are_decoded_once_all_have_been_measured(make, monkeypatch):
    codes, decoded = make(num_rows=20_000), []
    decode = type(codes).decode

    def counting(self, ids=None):
        decoded.append(np.size(ids))
        return decode(self, ids)

    query = codes[3]
    codes.nearest(query)
    monkeypatch.setattr(type(codes), "decode", counting)
    check = codes.nearest(query, 10)
    assert sum(decoded) < 100
    assert check[0][0] == "3"


def test_bytes_name_no_row_and_are_not_several_numbers():
    rng = np.random.default_rng(0)
    codes = Codes(rng.integers(0, 4, (300, 2)), rng.normal(size=(2, 4, 3)).astype(np.float32))
    with pytest.raises(KeyError, match="no row b'w4'"):
        codes.nearest(3, 5, exclude=b"w4")
