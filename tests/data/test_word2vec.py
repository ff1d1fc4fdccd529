"""word2vec's binary form: both ends of rows, words with spaces, and what only looks like it."""

import numpy as np
import pytest

from jaxcompress import InputError
from jaxcompress.data.vectors import window
from jaxcompress.data.vectors.files import read_vectors

ROWS = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
WORDS = ["king", "hot dog", "a b c", *(f"w{i} x" if i % 3 else f"w{i}" for i in range(37))]


def encoded(words, rows, end, header=None):
    records = (
        word.encode("utf-8", "surrogateescape") + b" " + row.tobytes() + end
        for word, row in zip(words, rows, strict=True)
    )
    return (header or b"%d %d\n" % rows.shape) + b"".join(records)


def write(folder, content, name="v.bin"):
    (folder / name).write_bytes(content)
    return str(folder / name)


@pytest.mark.parametrize("end", [b"\n", b""], ids=["line ends", "none"])
@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_words_with_spaces_do_not_shift_the_rows_after_them(tmp_path, monkeypatch, end, chunk):
    monkeypatch.setattr(window, "_CHUNK", chunk)
    vectors = read_vectors(write(tmp_path, encoded(WORDS, ROWS, end)))
    assert vectors.words == WORDS
    np.testing.assert_array_equal(vectors.rows, ROWS)
    told = "words with spaces, whose ends were told without line ends after rows: the first is "
    assert vectors.notes == (() if end else (told + "'hot dog', row 1 (from 0).",))


@pytest.mark.parametrize("end", [b"\n", b""], ids=["line ends", "none"])
@pytest.mark.parametrize("word", ["caf\udce9", "東京", "x" * 900, "a\u0085b"])
def test_words_need_not_be_ascii_or_short(tmp_path, end, word):
    vectors = read_vectors(write(tmp_path, encoded(["a", word, "b"], ROWS[:3], end)))
    assert vectors.words == ["a", word, "b"]
    np.testing.assert_array_equal(vectors.rows, ROWS[:3])


@pytest.mark.parametrize("name", ["a.bin", "a.txt", "a"])
def test_text_and_binary_are_told_apart_by_what_is_in_them(tmp_path, name):
    path = write(tmp_path, b"2 2\n11 0.5 0.25\n12 0.75 0.125\n", name)
    vectors = read_vectors(path)
    assert vectors.words == ["11", "12"]
    np.testing.assert_array_equal(vectors.rows, [[0.5, 0.25], [0.75, 0.125]])
    assert read_vectors(write(tmp_path, b"a 0.5\r\n", name)).words == ["a"]
    vectors = read_vectors(write(tmp_path, encoded(["a", "b"], ROWS[:2], b""), name))
    np.testing.assert_array_equal(vectors.rows, ROWS[:2])
    with pytest.raises(InputError, match=r"line 2: 'x' is not a number"):
        read_vectors(write(tmp_path, b"2 2\nhot 0.5 x\n", name))


@pytest.mark.parametrize("end", [b"\n", b""], ids=["line ends", "none"])
@pytest.mark.parametrize(
    ("follows", "message"),
    [
        (
            b"\x00x",
            r"v\.bin: (row 1 \(from 0\): no other word|more follows the 2 rows of 3 numbers)",
        ),
        (b"x", r"v\.bin: more follows the 2 rows of 3 numbers that its header"),
        (b"word " + bytes(12), r"v\.bin: more follows the 2 rows of 3 numbers that its header"),
    ],
)
def test_what_follows_the_last_row_is_refused(tmp_path, end, follows, message):
    content = encoded(["a", "b"], ROWS[:2], end)
    with pytest.raises(InputError, match=message):
        read_vectors(write(tmp_path, content + follows))
    assert read_vectors(write(tmp_path, content + b"\r\n")).words == ["a", "b"]


@pytest.mark.parametrize("end", [b"\n", b""], ids=["line ends", "none"])
def test_a_header_of_too_many_rows_is_noted_but_a_row_cut_short_is_refused(tmp_path, end):
    content = encoded(["a", "b", "c d" if end else "c"], ROWS[:3], end, header=b"5 3\n")
    vectors = read_vectors(write(tmp_path, content))
    np.testing.assert_array_equal(vectors.rows, ROWS[:3])
    assert vectors.notes == ("the header says 5 rows; the file has 3, and all of them were read.",)
    assert read_vectors(write(tmp_path, content), max_rows=3).notes == ()
    for cut in (1, 5, 12, 13):
        with pytest.raises(InputError, match=r"v\.bin: cut short in row 2 \(from 0\)"):
            read_vectors(write(tmp_path, content[: len(content) - len(end) - cut]))


def test_control_bytes_in_words_are_told(tmp_path):
    words = ["a", "b\x01", "c"]
    vectors = read_vectors(write(tmp_path, encoded(words, ROWS[:3], b"\n")))
    assert vectors.words == words
    assert vectors.notes == ("words with control bytes: the first is 'b\\x01', row 1 (from 0).",)
    with pytest.raises(InputError, match=r"row 0 \(from 0\): no other word after 'a' and 3"):
        read_vectors(write(tmp_path, encoded(words, ROWS[:3], b"")))
    for word in ("b\n", "b\nc", "b\rc"):
        with pytest.raises(InputError, match=r"row 0 \(from 0\): control bytes in 'b\\[nr]"):
            read_vectors(write(tmp_path, encoded([word], ROWS[:1], b"\n")))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e16, -3e38])
def test_numbers_that_no_vector_has_are_refused(tmp_path, value):
    rows = ROWS[:2].copy()
    rows[1, 2] = value
    with pytest.raises(InputError, match=r"row 1 \(from 0\), 'b', holds (NaN|a vector of length)"):
        read_vectors(write(tmp_path, encoded(["a", "b"], rows, b"\n")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x01\x02", r"its first line is not 'rows dimensions'; expected word2vec .bin"),
        (b"2 99999999999\na \x00", r"its header says 99999999999 dimensions; expected 1 to"),
        (b"2 0\na \x00", r"its header says 0 dimensions"),
        (b"2 3\n\x00", r"cut short in row 0 \(from 0\); expected a word and 3 numbers"),
        (b"2 3\n" + bytes(2000), r"row 0 \(from 0\): no space in 1000 bytes; expected a word"),
    ],
)
def test_other_bytes_are_one_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_vectors(write(tmp_path, content))
