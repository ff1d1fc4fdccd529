"""Text of vectors: what headers say is advice, and the width is what most rows agree on."""

import numpy as np
import pytest

from jaxcompress import InputError
from jaxcompress.data.vectors.files import read_vectors


def read(folder, content, max_rows=None):
    (folder / "v.txt").write_bytes(content)
    return read_vectors(str(folder / "v.txt"), max_rows=max_rows)


@pytest.mark.parametrize("said", [1, 3, 2000000])
def test_a_header_that_is_wrong_about_the_rows_is_noted(tmp_path, said):
    content = b"%d 2\na 1 2\nb 3 4\n" % said
    vectors = read(tmp_path, content)
    assert vectors.words == ["a", "b"]
    assert vectors.notes == (
        f"the header says {said} rows; the file has 2, and all of them were read.",
    )
    assert read(tmp_path, content, max_rows=2).notes == ()
    assert read(tmp_path, content, max_rows=1).words == ["a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"3 2\na 1 2\nb 3", r"line 3: the number of columns is 2; expected a word and 2 numbers"),
        (b"a 1 2\nb 3", r"line 2: the number of columns is 2; expected a word and 2 numbers"),
        (b"3 2\na 1 2\nb 3 4.", r"line 3: the file is cut short in this line; its header says 3"),
    ],
)
def test_a_file_that_is_cut_in_a_row_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, content)
    assert read(tmp_path, content, max_rows=1).words == ["a"]


@pytest.mark.parametrize("header", [b"", b"4 2\n"])
@pytest.mark.parametrize("odd", [b"version 2", b"new 2003", b"1 2 3", b"a  b 7", b". .", b"nan 1"])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_words_may_end_in_numbers_if_most_rows_agree_on_the_width(tmp_path, header, odd, place):
    words = [b"a", b"b", b"2004"]
    words.insert(place, odd)
    rows = np.arange(8, dtype=np.float32).reshape(4, 2) / 8
    lines = [word + b" %f %f\n" % tuple(row) for word, row in zip(words, rows, strict=True)]
    vectors = read(tmp_path, header + b"".join(lines))
    assert vectors.words == [word.decode() for word in words]
    np.testing.assert_array_equal(vectors.rows, rows)


def test_a_row_of_another_width_is_refused_wherever_it_is(tmp_path):
    lines = [b"w%d 1 2 3\n" % i for i in range(300)]
    for at in (0, 1, 299):
        short = [*lines[:at], b"short 1 2\n", *lines[at + 1 :]]
        with pytest.raises(InputError, match=rf"line {at + 1}: the number of columns is 3; .* 3 n"):
            read(tmp_path, b"".join(short))


def test_if_rows_disagree_the_error_says_what_tells_the_width(tmp_path):
    with pytest.raises(InputError, match=r"line 2: .* a word and 5 numbers, as in line 1"):
        read(tmp_path, b"new 2003 1 2 3 4\na 1 2 3 4\n")
    with pytest.raises(InputError, match=r"line 3: .* a word and 3 numbers, as its header"):
        read(tmp_path, b"2 3\na 1 2 3\nb 1 2\n")
    with pytest.raises(InputError, match=r"line 2: .* a word and 2 numbers, as in most"):
        read(tmp_path, b"a 1 2\nb 1\nc 1 2\n")
    vectors = read(tmp_path, b"2 3\nnew 2003 1 2 3\na 1 2 3\n")  # the header agrees with line 3
    assert vectors.words == ["new 2003", "a"]


def test_two_whole_numbers_are_a_row_if_all_rows_are_pairs(tmp_path):
    vectors = read(tmp_path, b"11 5\n12 7\n13 9\n")
    assert vectors.words == ["11", "12", "13"]
    np.testing.assert_array_equal(vectors.rows, [[5], [7], [9]])
    assert read(tmp_path, b"2 1\n12 7\n13 9\n").words == ["12", "13"]
    assert read(tmp_path, b"3 0\na 1\n").words == ["3", "a"]


def test_rows_past_max_rows_are_not_looked_at(tmp_path):
    assert read(tmp_path, b"a 1 2\nb 3 4\nbroken\n", max_rows=2).words == ["a", "b"]
