"""A text as ids of words: counts of the literature, vocabularies, what is wrong in one line."""

import numpy as np
import pytest

from jaxcompress import InputError
from jaxcompress.data.text.corpus import read_corpus, token_ids


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.txt").write_text("a b a\nc a b\n")
    (tmp_path / "valid.txt").write_text("a d\n")
    (tmp_path / "test.txt").write_text("b\n\nc\n")
    return tmp_path


def test_words_are_ordered_by_frequency_and_lines_end_in_a_token(folder):
    corpus = read_corpus(str(folder))
    # a 3, b 2, <eos> 2 (met after b), c 1; <unk> is added
    assert corpus.words == ["a", "b", "<eos>", "c", "<unk>"]
    np.testing.assert_array_equal(corpus.splits["train"], [0, 1, 0, 2, 3, 0, 1, 2])
    np.testing.assert_array_equal(corpus.splits["valid"], [0, 4, 2])
    np.testing.assert_array_equal(corpus.splits["test"], [1, 2, 2, 3, 2])
    assert corpus.notes == (
        "1 of the valid split's 3 tokens became <unk>, since the vocabulary lacks them.",
    )


def test_max_vocab_keeps_the_most_frequent_words_and_the_special_ones(folder):
    corpus = read_corpus(str(folder), max_vocab=3)
    assert corpus.words == ["a", "<eos>", "<unk>"]
    np.testing.assert_array_equal(corpus.splits["train"], [0, 2, 0, 1, 2, 0, 2, 1])


def test_a_vocabulary_file_sets_the_ids(folder):
    (folder / "words.txt").write_text("<unk>\n<eos>\nb\na\n")
    corpus = read_corpus(str(folder), vocabulary=str(folder / "words.txt"))
    np.testing.assert_array_equal(corpus.splits["train"], [3, 2, 3, 1, 0, 3, 2, 1])


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_marks_and_line_ends_make_no_difference(folder, end):
    expected = read_corpus(str(folder))
    for file in folder.iterdir():
        file.write_bytes(("\ufeff" + file.read_text().replace("\n", end)).encode())
    (folder / "words.txt").write_bytes(("\ufeff" + end.join(expected.words)).encode())
    for vocabulary in (None, str(folder / "words.txt")):
        corpus = read_corpus(str(folder), vocabulary=vocabulary)
        assert corpus.words == expected.words
        for split, ids in expected.splits.items():
            np.testing.assert_array_equal(corpus.splits[split], ids)


@pytest.mark.parametrize(
    ("name", "train", "valid", "test", "words"),
    [("ptb", 929_589, 73_760, 82_430, 10_000), ("wikitext-2", 2_088_628, 217_646, 245_569, 33_278)],
)
def test_counts_are_those_of_the_literature(real_data, name, train, valid, test, words):
    corpus = read_corpus(str(real_data / name))
    assert {k: len(v) for k, v in corpus.splits.items()} == {
        "train": train, "valid": valid, "test": test,
    }  # fmt: skip
    assert len(corpus.words) == words
    assert corpus.notes == ()


def spoil(folder, name, content):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "valid.txt").unlink(),
         r"no valid split; expected one of valid.txt, ptb.valid.txt, wiki.valid.tokens"),
        (lambda f: spoil(f, "test.txt", b"\n \n"), r"test.txt is empty; expected text"),
        (lambda f: spoil(f, "train.txt", b"a b\nc \xff\n"),
         r"train.txt:2: byte 3 of the line, 0xff, is not UTF-8; expected text in UTF-8."),
        (lambda f: spoil(f, "words.txt", b"<unk>\rb\xff"), r"words.txt:2: byte 2 of the line"),
        (lambda f: spoil(f, "words.txt", b"<eos>\na\n"), r"words.txt: lacks <unk>; expected"),
        (lambda f: spoil(f, "words.txt", b"<unk>\n<eos>\na\na\n"), r"'a' is there more than once"),
    ],
)  # fmt: skip
def test_bad_text_is_one_line_with_the_file(folder, change, message):
    (folder / "words.txt").write_text("<unk>\n<eos>\n")
    change(folder)
    with pytest.raises(InputError, match=message) as caught:
        read_corpus(str(folder), vocabulary=str(folder / "words.txt"))
    assert "\n" not in str(caught.value)


def test_a_missing_folder_names_the_places_looked_at():
    with pytest.raises(InputError, match=r"no folder gone; looked at gone, .*download ptb "):
        read_corpus("gone")


def test_the_standard_librarys_text_has_all_splits():
    corpus = read_corpus("stdlib", max_vocab=1000)
    assert len(corpus.words) == 1000
    assert min(len(some) for some in corpus.splits.values()) > 10_000


def test_unknown_words_are_tried_in_lower_case():
    ids = {"<unk>": 0, "the": 1, "US": 2}
    assert token_ids(["The", "US", "zebra"], ids) == [1, 2, 0]
