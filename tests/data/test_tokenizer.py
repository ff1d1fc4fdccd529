"""Words and punctuation by one regular expression, and texts as numbers."""

import unicodedata

import numpy as np
import pytest

from jaxcompress.data.text.tokenizer import count_words, is_empty, number_texts, tokenize


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
        ("Café naïve ΣΟΦΙΑ 映画", ["café", "naïve", "σοφια", "映", "画"]),
        ("Cafe\u0301s, na\u0308ive", ["cafés", ",", "näive"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("ไทย ดี", ["ไ", "ท", "ย", "ดี"]),
        ("2023年 iPhone手机 한국어", ["2023", "年", "iphone", "手", "机", "한국어"]),
        ("\U00020000\U00020001 \U00010400x", ["\U00020000", "\U00020001", "\U00010428x"]),
        ("Isn\u2019t \u2018rock\u02bcn\uff07roll\u2019", ["isn't", "'", "rock'n'roll", "'"]),
        ("&lt;b&gt; R&amp;D isn&#39;t &Eacute;&#x301;t&eacute;; AT&T",
         ["<", "b", ">", "r", "&", "d", "isn't", "é́té", ";", "at", "&", "t"]),
        ("Haiti #39;s  quot;so quot; in  #36;10; #1;", [
            "haiti's", '"', "so", '"', "in", "$", "10", ";"]),
        ("&lt;br /&gt;", []),
        ("\x96 \x85 \t\n\r\u00a0", ["\x96"]),
        ("", []),
        (" <br /> ", []),
    ],
)  # fmt: skip
def test_words_and_punctuation(text, tokens):
    assert tokenize(text) == tokens
    assert is_empty(text) == (not tokens)


def test_every_character_is_of_a_token_or_white_space():
    for start, end in ((1, 0x300), (0x300, 0x3200), (0x10000, 0x11000)):
        text = "".join(map(chr, range(start, end))).replace("<", "").lower()
        composed = unicodedata.normalize("NFC", text)
        for apostrophe in "\u2018\u2019\u02bc\uff07":
            composed = composed.replace(apostrophe, "'")
        assert "".join(tokenize(text)) == "".join(composed.split())


def test_words_are_counted_in_the_order_of_their_first_use():
    counts = count_words(["b a", "", "d c A"])
    assert list(counts.items()) == [("b", 1), ("a", 2), ("d", 1), ("c", 1)]


def test_numbers_lie_one_after_another_and_bounds_say_where():
    words, ids, bounds = number_texts(["a zebra b", "", "B a yak a"])
    assert words == ["a", "zebra", "b", "yak"]
    np.testing.assert_array_equal(ids, [0, 1, 2, 2, 0, 3, 0])
    np.testing.assert_array_equal(bounds, [0, 3, 3, 7])
    assert (ids.dtype, bounds.dtype) == (np.int32, np.int64)


def test_no_texts_are_no_numbers():
    words, ids, bounds = number_texts([])
    assert (words, len(ids), ids.dtype, list(bounds)) == ([], 0, np.int32, [0])
