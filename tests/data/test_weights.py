"""Row weights by rank, by row and by word; what is wrong, in one line."""

import gzip

import numpy as np
import pytest

from jaxcompress import InputError
from jaxcompress.data.vectors.files import read_vectors
from jaxcompress.data.vectors.weights import check_weights, normalize_weights, read_weights

WORDS = ["the", "New York", "caf\udce9"]
VALUES = [3.0, 0.5, 0.0]


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    "content",
    [
        b"3\n0.5\n0\n",
        b"3\r\n5e-1\r\n0",
        b"\xef\xbb\xbf3\r0.5\r0\r",
        b"  3\n\n 0.5 \n\t0\n\n",
        b"the 3\nNew York 0.5\ncaf\xe9 0\n",
        b"the\t3\nNew York\t0.5\ncaf\xe9\t0\n",
        b"caf\xe9   0\nNew York \t .5\r\n\nthe 3.0",
    ],
    ids=["column", "crlf", "mark and cr", "aligned", "spaces", "tabs", "in any order"],
)
def test_text_in_every_form_gives_the_same_weights(tmp_path, content):
    for path in (write(tmp_path, "w.txt", content),
                 write(tmp_path, "w.txt.gz", gzip.compress(content))):  # fmt: skip
        values, notes = read_weights(path, 3, WORDS)
        np.testing.assert_array_equal(values, VALUES)
        assert values.dtype == np.float64
        assert notes == ()


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64, np.uint8])
def test_npy_of_any_numbers_is_in_the_order_of_the_rows(tmp_path, dtype):
    np.save(tmp_path / "w.npy", np.array([3, 7, 0], dtype))
    values, _ = read_weights(str(tmp_path / "w.npy"), 3, None)
    np.testing.assert_array_equal(values, [3.0, 7.0, 0.0])


def test_zipf_is_one_over_the_rank():
    np.testing.assert_allclose(read_weights("zipf", 4, None).values, [1, 1 / 2, 1 / 3, 1 / 4])


def test_a_file_is_found_where_other_data_is(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXCOMPRESS_DATA", str(tmp_path))
    write(tmp_path, "w.txt", b"1\n2\n")
    np.testing.assert_array_equal(read_weights("w.txt", 2, None).values, [1, 2])
    with pytest.raises(InputError, match=r'no file gone.txt; looked at gone.txt, .*"zipf", a text'):
        read_weights("gone.txt", 2, None)


def test_words_that_are_missing_unknown_or_double_are_counted(tmp_path):
    path = write(tmp_path, "w.txt", b"b 4\nx 2\na 8\nb 9\ny 3\nz 3\n")
    values, notes = read_weights(path, 4, ["a", "b", "c", "d"])
    np.testing.assert_array_equal(values, [8, 4, 2, 2])
    assert notes == (
        f"words without a weight in {path}: 2; each got the least, 2.",
        f"words of {path} that are not in the table: 3; they were ignored.",
        f"duplicate words in {path}: 1; the first of each was kept.",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1\n2\nthree\n", r"bad.txt, line 3: 'three' is not a number; expected a finite number"),
        (b"1\n\n-2\n4\n", r"bad.txt, line 3: the weight is '-2'; expected a finite number of at"),
        (b"1\nnan\n4\n", r"bad.txt, line 2: the weight is 'nan'"),
        (b"the 1\nNew York inf\n", r"bad.txt, line 2: the weight is 'inf'"),
        (b"the 1\nNew York\n", r"bad.txt, line 2: 'York' is not a number"),
        (b"word count\nthe 1\n", r"bad.txt, line 1: 'count' is not a number"),
        (
            b"1\n2\nthe 3\n",
            r"bad.txt, line 3: the number of columns is 2; "
            "expected a number alone, as in the first",
        ),
        (
            b"the 1\n2\n",
            r"bad.txt, line 2: the number of columns is 1; expected a word and a number, as in",
        ),
        (b"1\n2\n", r"bad.txt: 2 weights; expected 3, one for each row of the table as it was"),
        (b"1\n2\n3\n4\n", r"bad.txt: 4 weights; expected 3"),
        (b"0\n0\n0.0\n", r"bad.txt: the weights of all rows are 0"),
        (b"the 0\nother 7\nNew York 0\ncaf\xe9 0\n", r"bad.txt: the weights of all rows are 0"),
        (b"other 7\n", r"bad.txt: none of its words is in the table"),
        (b"\n \n", r"bad.txt: holds no weights; expected a number a line"),
    ],
)
def test_bad_text_is_one_line_with_file_and_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_weights(write(tmp_path, "bad.txt", content), 3, WORDS)
    assert "\n" not in str(caught.value)


def test_words_for_a_table_without_words_are_told(tmp_path):
    with pytest.raises(InputError, match=r"w.txt: gives weights by word, but the table's rows h"):
        read_weights(write(tmp_path, "w.txt", b"the 1\n"), 1, None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((3, 1)), r"w: float64 of shape \[3, 1\]; expected 3 numbers"),
        (np.ones(3, complex), r"w: complex128 of shape \[3\]; expected 3 numbers"),
        (np.ones(2), r"w: 2 weights; expected 3"),
        (np.array([1, -1, np.nan]), r"w: row 1 \(from 0\) is -1; expected a finite number of at"),
        (np.array([1, 0, np.inf]), r"w: row 2 \(from 0\) is inf"),
        (np.zeros(3, int), r"w: the weights of all rows are 0"),
    ],
)
def test_arrays_that_cannot_weigh_rows_are_told(values, message):
    with pytest.raises(InputError, match=message):
        check_weights(values, 3, "w")


def test_a_file_that_is_no_npy_is_told(tmp_path):
    write(tmp_path, "w.npy", b"1\n2\n")
    with pytest.raises(InputError, match=r"w.npy: not a readable .npy file of numbers"):
        read_weights(str(tmp_path / "w.npy"), 2, None)


def test_rows_that_were_dropped_need_weights_by_word(tmp_path):
    table = write(tmp_path, "v.txt", b"a 1 2\nb 3 4\na 5 6\nc 7 8\n")
    vectors = read_vectors(table, max_rows=3)
    assert vectors.words == ["a", "b", "c"]
    column = write(tmp_path, "column.txt", b"1\n2\n3\n4\n")
    with pytest.raises(InputError, match=r"expected 3, one for each row .* without duplicates and"):
        read_weights(column, len(vectors.rows), vectors.words)
    by_word = write(tmp_path, "by_word.txt", b"a 1\nb 2\nc 4\n")
    values, notes = read_weights(by_word, len(vectors.rows), vectors.words)
    np.testing.assert_array_equal(values, [1, 2, 4])
    assert notes == ()


def test_weights_are_scaled_to_a_mean_of_1_over_the_training_rows():
    values = np.array([1.0, 5.0, 3.0, 100.0])
    scaled = normalize_weights(values, np.array([0, 1, 2]))
    np.testing.assert_allclose(scaled, values / 3, rtol=1e-6)
    assert scaled.dtype == np.float32
    huge = normalize_weights(np.array([1e308, 1e308, 0.0, 1e308]), np.arange(4))
    np.testing.assert_allclose(huge, [4 / 3, 4 / 3, 0, 4 / 3], rtol=1e-6)
    with pytest.raises(InputError, match="the weights of all rows to train on are 0"):
        normalize_weights(np.array([0.0, 0.0, 1.0]), np.array([0, 1]))
