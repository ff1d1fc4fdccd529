"""Tables that are handed over: what is taken, as what, and what is refused in one line."""

import ml_dtypes
import numpy as np
import pytest

from jaxcompress import InputError
from jaxcompress.data import Vectors
from jaxcompress.data.vectors.arrays import take_numbers, take_rows, take_words

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


class Tensor:
    """Has what PyTorch's tensors have: NumPy reads none that has a gradient or is on a GPU."""

    def __init__(self, array, dtype="torch.float32", device="cuda:0", requires_grad=True):
        self.array, self.dtype = array, dtype
        self.device, self.requires_grad = device, requires_grad

    def detach(self):
        return Tensor(self.array, self.dtype, self.device, requires_grad=False)

    def cpu(self):
        return Tensor(self.array, self.dtype, "cpu", self.requires_grad)

    def float(self):
        return Tensor(self.array, "torch.float32", self.device, self.requires_grad)

    def __array__(self, dtype=None, copy=None):
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.device != "cpu":
            raise TypeError(f"can't convert {self.device} device type tensor to numpy.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


class KeyedVectors:
    """Has what gensim's KeyedVectors have."""

    vectors = ROWS
    index_to_key = ("the", "of", 7)


@pytest.mark.parametrize(
    "vectors",
    [
        ROWS,
        ROWS.tolist(),
        list(ROWS),
        np.asfortranarray(ROWS),
        ROWS.astype(int),
        ROWS.astype(np.float64),
        ROWS.astype(np.longdouble),
        ROWS.astype(ml_dtypes.bfloat16),
        Tensor(ROWS),
        Tensor(ROWS, "torch.bfloat16"),
    ],
    ids=lambda v: getattr(v, "dtype", "list"),
)
def test_every_matrix_of_real_numbers_is_taken(vectors):
    rows, words = take_rows(vectors)
    np.testing.assert_array_equal(rows, ROWS)
    assert (rows.dtype, words) == (np.float32, None)


def test_float16_stays_as_it_is_and_float32_is_not_copied():
    assert take_rows(ROWS.astype(np.float16)).rows.dtype == np.float16
    assert take_rows(ROWS).rows is ROWS


def test_vectors_that_know_their_words_bring_them():
    assert take_rows(KeyedVectors()).words == ["the", "of", "7"]
    assert take_rows(KeyedVectors()).rows is ROWS
    assert take_rows(Vectors(ROWS, ["a", "b", "c"])).words == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (ROWS + 1j, "vectors are no matrix of numbers, but complex numbers; expected floats"),
        (ROWS.astype("M8[D]"), "but dates"),
        (ROWS.astype("m8[s]"), "but durations"),
        (np.ma.array(ROWS, mask=ROWS > 1), r"vectors are a masked array; fill it \(array.filled"),
        ([[1.0], [1.0, 2.0]], r"vectors are no matrix of numbers \(rows differ in length\)"),
        ("glove.txt", r"but strings; expected floats; a file is read by jaxcompress.data.read_vec"),
        ([["1", "2"]], "but strings"),
        ([b"ab"], "but bytes"),
        ([[None, 1.0]], "but an object of type NoneType"),
        (object(), "but an object of type object"),
        (5, r"vectors have shape \[\]; expected \[rows, dimensions\]"),
        (ROWS[0], r"vectors have shape \[2\]; expected \[rows, dimensions\]"),
        (ROWS[:, :0], r"vectors have shape \[3, 0\]"),
        (ROWS[:0], r"vectors have shape \[0, 2\]"),
        (np.float64([[0, 1], [1e300, 0]]), r"vectors: row 1 \(from 0\) holds"),
        (np.float32([[0, 1], [0, np.nan]]), r"vectors: row 1 \(from 0\) holds NaN or infinity"),
    ],
    ids=lambda v: v[:20] if isinstance(v, str) else type(v).__name__,
)
def test_what_is_no_matrix_of_finite_numbers_is_one_line(vectors, message):
    with pytest.raises(InputError, match=message) as caught:
        take_rows(vectors)
    assert "\n" not in str(caught.value)


def test_rows_have_the_dimensions_asked_for():
    assert take_rows(ROWS, 2).rows is ROWS
    assert take_rows(ROWS[:0], 2).rows.shape == (0, 2)
    with pytest.raises(InputError, match=r"shape \[3, 2\]; the codebooks make rows of 4 dim"):
        take_rows(ROWS, 4)


def test_words_are_strings_one_for_each_row():
    assert take_words(None, 3) is None
    assert take_words(iter("abc"), 3) == take_words(np.array(["a", "b", "c"]), 3) == [*"abc"]
    for words, message in (
        ("abc", "words are one string, 'abc'; expected a list of strings"),
        (3, "words are an object of type int; expected a list"),
        (["a"], "1 words and 3 rows"),
        (["a", "b", 3], "word 3 has type int"),
    ):
        with pytest.raises(InputError, match=message):
            take_words(words, 3)


def test_numbers_that_are_no_table_are_named():
    with pytest.raises(InputError, match="weights are no list of numbers, but an object of type d"):
        take_numbers({"the": 1}, "weights", "list")
