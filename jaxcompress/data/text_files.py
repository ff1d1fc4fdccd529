"""The one way in which text is opened: without a byte order mark, all lines ending in a line feed.

Lines end in CR, CRLF or LF, and in nothing else: U+2028 and form feeds are parts of a line.
"""

import codecs
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jaxcompress.data.paths import open_binary
from jaxcompress.errors import InputError

_CHUNK = 1 << 20  # bytes that are read at a time
_OTHER_MARKS = {  # UTF-32 first: its mark of little-endian text begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@contextlib.contextmanager
def open_text(file: Path) -> Iterator[BinaryIO]:
    """Opens text as `open_binary` opens a file: bytes, of which every line ends in a line feed.

    The bytes are not decoded, so that gigabytes are quick to read and bytes that are not UTF-8 can
    be kept; `decode` is for readers that want strings.

    Raises:
        InputError: if it cannot be read, or if it begins with the mark of UTF-16 or UTF-32.
    """
    with open_binary(file) as stream:
        start = stream.read(4)
        for mark, encoding in _OTHER_MARKS.items():
            if start.startswith(mark):
                raise InputError(
                    f"{file}:1: begins with the byte order mark of {encoding}; expected text in "
                    "UTF-8, so save it as UTF-8."
                )
        start = start.removeprefix(codecs.BOM_UTF8)
        yield io.BufferedReader(_LineFeeds(start, stream), _CHUNK)


def read_text(file: Path) -> str:
    r"""Reads a whole file of UTF-8; every line ends in "\n", but for the last one perhaps.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> _ = file.write_bytes(b"\xef\xbb\xbfone\rtwo\r\n")
    >>> read_text(file)
    'one\ntwo\n'

    Raises:
        InputError: if it cannot be read or is not UTF-8: with the line and the byte.
    """
    with open_text(file) as stream:
        return decode(stream.read(), file)


def decode(raw: bytes, file: Path | str, line: int = 1) -> str:
    """Decodes bytes that `open_text` gave.

    Args:
        raw: any number of lines.
        file: what an error names.
        line: the number of the first of these lines in the file, from 1.

    Raises:
        InputError: if they are not UTF-8: with the line and the byte.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line += before.count(b"\n")
        position = error.start - before.rfind(b"\n")
        raise InputError(
            f"{file}:{line}: byte {position} of the line, 0x{raw[error.start]:02x}, is not UTF-8; "
            "expected text in UTF-8."
        ) from None


class _LineFeeds(io.RawIOBase):
    """The bytes `start`, then those of a stream, with CRLF and CR turned into line feeds."""

    def __init__(self, start: bytes, stream: BinaryIO):
        self._start = start
        self._stream = stream
        self._is_after_cr = False  # a CRLF may lie across two chunks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Fills the front of a buffer with what comes next; 0 bytes at the end."""
        size = len(buffer)
        while chunk := self._start[:size] or self._stream.read(size):
            self._start = self._start[size:]
            ends_in_cr = chunk.endswith(b"\r")
            if self._is_after_cr:
                chunk = chunk.removeprefix(b"\n")
            self._is_after_cr = ends_in_cr
            if b"\r" in chunk:
                chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if chunk:  # all of it may have been the second half of a CRLF
                buffer[: len(chunk)] = chunk
                return len(chunk)
        return 0
