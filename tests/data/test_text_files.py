"""Text is opened in one way: marks, line ends, and bytes that are not UTF-8."""

import gzip
import re

import pytest

from jaxcompress import InputError
from jaxcompress.data import text_files
from jaxcompress.data.text_files import decode, open_text, read_text


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["lf", "cr", "crlf"])
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1 << 20])
def test_a_mark_is_dropped_and_every_line_ends_in_a_line_feed(
    tmp_path, monkeypatch, mark, end, chunk
):
    monkeypatch.setattr(text_files, "_CHUNK", chunk)
    file = tmp_path / "t.txt.gz"
    file.write_bytes(gzip.compress(mark + end.join([b"one", b"", b"two words", b"x", b""])))
    with open_text(file) as stream:
        assert list(stream) == [b"one\n", b"\n", b"two words\n", b"x\n"]
    assert read_text(file) == "one\n\ntwo words\nx\n"


@pytest.mark.parametrize("content", [b"", b"a", b"\xef\xbb\xbf", b"\n\r", b"\r\r\n\n"])
def test_short_files_are_what_universal_newlines_make_of_them(tmp_path, content):
    (tmp_path / "t").write_bytes(content)
    assert read_text(tmp_path / "t") == (tmp_path / "t").read_text("utf-8-sig")


def test_only_cr_and_lf_end_a_line(tmp_path):
    text = "a\u2028b\x0cc\x0bd\x85e\x1cf\n"
    (tmp_path / "t").write_bytes(text.encode())
    with open_text(tmp_path / "t") as stream:
        assert list(stream) == [text.encode()]
    assert read_text(tmp_path / "t") == text


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["lf", "cr", "crlf"])
def test_a_byte_that_is_not_utf8_is_named_with_its_line(tmp_path, end):
    file = tmp_path / "t.txt"
    file.write_bytes(b"\xef\xbb\xbf" + end.join([b"one", b"caf\xe9 x", b"\xff"]))
    expected = f"{file}:2: byte 4 of the line, 0xe9, is not UTF-8; expected text in UTF-8."
    with pytest.raises(InputError, match=re.escape(expected)):
        read_text(file)
    with pytest.raises(InputError, match=r"t\.txt:9: byte 2 of the line, 0xff"):
        decode(b"ok\na\xff", file, 8)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_other_encodings_are_named_by_their_mark(tmp_path, encoding):
    (tmp_path / "t.txt").write_bytes("\ufeffone".encode(encoding))
    named = encoding[:6].upper()
    with pytest.raises(InputError, match=rf"t\.txt:1: begins with .* mark of {named}; .* UTF-8\."):
        read_text(tmp_path / "t.txt")
