"""Tells in which format vectors are, by what stands at the start of a file and by its name."""

import codecs
import re
from pathlib import Path

from jaxcompress.data.paths import open_binary
from jaxcompress.data.vectors.text import count_numbers, read_header

_HEAD = 1 << 16  # bytes that are looked at
_UNPRINTED = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")  # control bytes that are no white space


def is_word2vec(path: Path) -> bool:
    """Tells word2vec's binary form from text, whatever the file is named.

    If the first row ends in a number that is written out, or if all is printed text, it is text.
    """
    with open_binary(path) as stream:
        head = stream.read(_HEAD).removeprefix(codecs.BOM_UTF8)
    lines = [line for line in re.split(rb"[\r\n]", head) if line.strip()]
    if not lines or _is_printed(head):
        return False
    if read_header(lines[0]) is None:
        return path.suffix == ".bin"
    return len(lines) == 1 or not count_numbers(lines[1])


def _is_printed(head: bytes) -> bool:
    """Tells whether the start of a file is text in UTF-8; a character may be cut at its end."""
    if _UNPRINTED.search(head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
