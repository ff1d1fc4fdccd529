"""Words and punctuation by one regular expression, and texts as ids."""

import numpy as np
import pytest

from jaxcompress.data.tokenizer import count_words, encode_texts, is_empty, tokenize


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's GREAT, isn't it?", ["it's", "great", ",", "isn't", "it", "?"]),
        ("'tis the dogs' day", ["'", "tis", "the", "dogs", "'", "day"]),
        ("rock'n'roll o''clock", ["rock'n'roll", "o", "'", "'", "clock"]),
        ("well-made, 10/10", ["well", "-", "made", ",", "10", "/", "10"]),
        ("the 1980's...", ["the", "1980's", ".", ".", "."]),
        ("Bad.<br /><br />Worse<BR/>yet<br>.", ["bad", ".", "worse", "yet", "."]),
        ("<b>br</b>", ["<", "b", ">", "br", "<", "/", "b", ">"]),
        ("a_b __", ["a", "_", "b", "_", "_"]),
        ("Café naïve ΣΟΦΙΑ 映画", ["café", "naïve", "σοφια", "映画"]),
        ("\x96 \x85 \t\n\r\u00a0", ["\x96"]),
        ("", []),
        (" <br /> ", []),
    ],
)  # fmt: skip
def test_words_and_punctuation(text, tokens):
    assert tokenize(text) == tokens
    assert is_empty(text) == (not tokens)


def test_every_character_is_of_a_token_or_white_space():
    text = "".join(map(chr, range(1, 0x2100))).replace("<", "")
    assert "".join(tokenize(text)) == "".join(text.lower().split())


def test_words_are_counted_in_the_order_of_their_first_use():
    counts = count_words(["b a", "", "d c A"])
    assert list(counts.items()) == [("b", 1), ("a", 2), ("d", 1), ("c", 1)]


def test_ids_lie_one_after_another_and_starts_say_where():
    texts = ["a zebra b", "", "B a a"]
    ids, starts = encode_texts(texts, {"a": 4, "b": 1}, unknown=7)
    np.testing.assert_array_equal(ids, [4, 7, 1, 1, 4, 4])
    np.testing.assert_array_equal(starts, [0, 3, 3, 6])
    assert (ids.dtype, starts.dtype) == (np.int32, np.int64)


def test_a_long_text_keeps_its_first_tokens():
    ids, starts = encode_texts(["a b c", "b"], {"a": 0, "b": 1, "c": 2}, 3, max_tokens=2)
    np.testing.assert_array_equal(ids, [0, 1, 1])
    np.testing.assert_array_equal(starts, [0, 2, 3])


def test_no_texts_are_no_ids():
    ids, starts = encode_texts([], {}, 0)
    assert (len(ids), ids.dtype, list(starts)) == (0, np.int32, [0])
