"""Columns of labelled texts as others export them: titles and contents, labels from 0, TSV."""

import bz2
import gzip
import lzma

import numpy as np
import pytest
from test_labelled_text import error_of, read_csv, write

from jaxcompress.data.labelled.read import read_labelled_text

ROWS = '0,One,"two, three"\n13,Four,five\n1,Six,\n'


@pytest.mark.parametrize(
    "train",
    [
        "label,title,content\n" + ROWS,
        "label,title,description\n" + ROWS,
        ROWS,
        'content,Unnamed: 0,title,label\n"two, three",0,One,0\nfive,1,Four,13\n,2,Six,1\n',
    ],
)
def test_titles_and_contents_may_have_labels_from_0(tmp_path, train):
    data = read_csv(tmp_path, train, "1,Seven,eight\n13,Nine,ten\n")  # no 0 among these
    assert data.texts["train"] == ["One two, three", "Four five", "Six "]
    assert data.classes == ("0", "1", "13")
    np.testing.assert_array_equal(data.labels["train"], [0, 2, 1])
    np.testing.assert_array_equal(data.labels["test"], [1, 2])


def test_labels_from_1_are_lowered_only_where_that_makes_them_those_to_train_on(tmp_path):
    titled = "label,title,content\n1,One,two\n2,Three,four\n"
    assert read_csv(tmp_path, titled, titled).classes == ("0", "1")
    for train in ("a,0\nb,1\n", "a,1\nb,2\n"):
        np.testing.assert_array_equal(read_csv(tmp_path, train, titled).labels["test"], [0, 1])


def test_a_header_of_titles_may_have_labels_of_words(tmp_path):
    data = read_csv(tmp_path, "title,text,label\nOne,two,sports\nThree,four,arts\n", "five,arts\n")
    assert data.classes == ("arts", "sports")
    assert data.texts == {"train": ["One two", "Three four"], "test": ["five"]}


def test_a_column_that_numbers_the_rows_is_not_read(tmp_path):
    train = ",text,label\n0,a,x\n1,b,y\n"
    data = read_csv(tmp_path, train, "idx,label,sentence\n0,x,c\n")
    assert data.texts == {"train": ["a", "b"], "test": ["c"]}


def test_labels_before_texts_without_a_header_are_said_to_be(tmp_path):
    rows = "".join(f'{i % 2},"Text {i}, so long"\n' for i in range(9))
    named = write(tmp_path, "label,text\n" + rows, "named.csv")
    bare = write(tmp_path, rows, "bare.csv")
    expected = (
        "bare.csv:1: of its two columns the first has 2 different values and the second 9, so the "
        "label seems to come first; add --config.data.columns=label,text, or text,label if it"
    )
    assert expected in error_of(bare, test=named)
    assert expected in error_of(named, test=bare)
    bare = write(tmp_path, "0,good\n1,bad\n", "bare.csv")  # too few rows to tell
    assert error_of(bare, test=write(tmp_path, "0,fine\n", "test.csv")).endswith(
        "test.csv:1: label 'fine' is not one of the training file's 2 classes: bad, good. There "
        "each row has a label of its own: if labels stand first, add "
        "--config.data.columns=label,text."
    )


def test_columns_without_a_header_may_be_given(tmp_path):
    bare = write(tmp_path, "".join(f'{i},{i % 2},"Text {i}, long"\n' for i in range(9)), "bare.csv")
    named = write(tmp_path, "text,label\na,1\nb,0\n", "named.csv")  # a header says more
    data = read_labelled_text(bare, test=named, columns=("row", "label", "text"))
    assert data.texts["train"][:2] == ["Text 0, long", "Text 1, long"]
    assert (data.texts["test"], list(data.labels["test"])) == (["a", "b"], [1, 0])
    for given in (("label",), ("label", "text", "review"), ("text", "title", "description")):
        assert error_of(bare, test=named, columns=given).startswith(
            f"data.columns is {','.join(given)}; expected label and text, or a title with either"
        )
    two = write(tmp_path, "good,a b\nbad,c d\n", "two.csv")
    data = read_labelled_text(two, test=two, columns=("label", "text"))
    assert (data.classes, data.texts["test"]) == (("bad", "good"), ["a b", "c d"])
    assert "bare.csv:1: the number of columns is 3; expected 2, label,text" in error_of(
        bare, test=two, columns=("label", "text")
    )
    assert "data.columns are for CSV files" in error_of("planted", columns=("label", "text"))


def test_a_tsv_file_is_split_at_tabs_and_quotes_have_no_meaning(tmp_path):
    rows = 'sentence\tlabel\na "b, c\t1\nd" e\t0\n'
    train, test = (write(tmp_path, rows, name) for name in ("train.tsv", "test.tsv"))
    data = read_labelled_text(train, test=test)
    assert data.texts["train"] == ['a "b, c', 'd" e']
    np.testing.assert_array_equal(data.labels["train"], [1, 0])
    other = write(tmp_path, rows, "train.csv")
    assert "train.csv:1: the number of columns is 1; expected text,label" in error_of(
        other, test=test
    )
    assert error_of(other, test=test).endswith("; a file separated by tabs is named .tsv.")


@pytest.mark.parametrize("content", [b"a,x\rb,y\r", b"\xef\xbb\xbfa,x\r\nb,y"])
def test_marks_and_line_ends_make_no_difference(tmp_path, content):
    data = read_csv(tmp_path, content, content)
    assert data.texts["train"] == ["a", "b"]


def test_utf_16_is_named(tmp_path):
    file = write(tmp_path, "text,label\na,x\n".encode("utf-16"))
    assert "train.csv:1: begins with the byte order mark of UTF-16" in error_of(file, test=file)


@pytest.mark.parametrize("name", ["t.TSV", "t.tsv.bz2", "t.tsv.xz", "t.tsv.gz"])
def test_tabs_are_told_by_the_name_inside_of_a_compressed_file(tmp_path, name):
    compress = {".bz2": bz2.compress, ".xz": lzma.compress, ".gz": gzip.compress}
    content = b"good film\tpos\nbad film\tneg\n"
    content = compress.get(name[-4:].removeprefix("v"), compress.get(name[-3:], bytes))(content)
    path = write(tmp_path, content, name)
    assert read_labelled_text(path, test=path).classes == ("neg", "pos")
