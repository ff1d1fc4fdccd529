"""Names of rows as files hold them: small, and unpacked only when they are asked for."""

import copy
import pickle

import numpy as np
import pytest

import jaxcompress
from jaxcompress import Codes, InputError
from jaxcompress.storage import names
from jaxcompress.storage.names import PackedNames

WORDS = ["man", "caf\udce9", "New York", "", "Ελλάδα", "man"]


def make_codes(words):
    codes = np.arange(len(words))[:, None] % 2
    return Codes(codes, np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32), words)


@pytest.fixture
def loaded(tmp_path):
    """Codes of a file, whose words nothing has asked for."""
    make_codes(WORDS).save(tmp_path / "a.safetensors")
    return jaxcompress.load(tmp_path / "a.safetensors")


def test_words_of_a_file_are_not_unpacked_before_they_are_asked_for(loaded, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("the words were unpacked")

    with monkeypatch.context() as patched:
        patched.setattr(names, "unpack_names", refuse)
        assert len(loaded) == len(loaded.words) == 6
        np.testing.assert_array_equal(loaded[1], [3.0, 4.0])
        loaded.save(tmp_path / "b.safetensors")
        again = pickle.loads(pickle.dumps(jaxcompress.load(tmp_path / "b.safetensors")))
        assert again.words == loaded.words
        copy.copy(again).decode()
        with pytest.raises(AssertionError):
            loaded.id_of("man")
    assert [loaded.id_of(word) for word in WORDS] == [0, 1, 2, 3, 4, 0]
    assert list(again.words) == WORDS


def test_packed_names_are_like_the_list_of_them():
    packed = PackedNames.pack(WORDS)
    assert PackedNames.pack(packed) is packed
    assert list(packed) == WORDS
    assert (packed[2], packed[-1], packed[1:3]) == ("New York", "man", WORDS[1:3])
    assert packed == WORDS == pickle.loads(pickle.dumps(packed))
    assert packed == tuple(WORDS)
    assert packed != WORDS[:-1]
    assert packed != PackedNames.pack(WORDS[:-1])
    assert packed != "man"
    assert "New York" in packed
    assert "York" not in packed
    assert packed.index("Ελλάδα") == 4
    assert repr(packed) == repr(WORDS)
    with pytest.raises(IndexError):
        packed[6]
    assert len(PackedNames.pack([])) == len(list(PackedNames.pack([]))) == 0


def test_names_take_about_half_of_their_bytes(tmp_path):
    words = [f"{stem}{end}" for stem in range(3000) for end in ("s", "ed", "-based", "ing")]
    make_codes(words).save(tmp_path / "a.safetensors")
    text = "\n".join(words)
    assert (tmp_path / "a.safetensors").stat().st_size < 0.5 * len(text) + len(words) + 1000


def test_words_that_are_not_one_a_row_are_one_line():
    packed = PackedNames(PackedNames.pack(WORDS).packed, 5)
    with pytest.raises(InputError, match="6 names and 5 rows; expected equal numbers"):
        packed[0]
    with pytest.raises(InputError, match="6 words and 5 rows"):
        Codes(np.zeros((5, 1), int), np.zeros((1, 2, 1)), PackedNames.pack(WORDS))


def test_words_of_a_file_are_extended_and_written_as_text(loaded, tmp_path):
    longer = loaded.append(["new"], np.array([[1.0, 2.0]])).codes
    assert longer.words == [*WORDS, "new"]
    loaded.save_text(tmp_path / "model")
    assert list(jaxcompress.load(tmp_path / "model.codes").words) == WORDS
