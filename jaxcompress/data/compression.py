"""Compressed streams: known by the end of a name, or else by the bytes that they begin with."""

import bz2
import gzip
import lzma
import re
from pathlib import PurePath
from typing import BinaryIO

from jaxcompress.errors import InputError

_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_STARTS = {  # a table of vectors may begin with "BZh", but not with all of this
    ".gz": re.compile(rb"\x1f\x8b\x08"),
    ".bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    ".xz": re.compile(rb"\xfd7zXZ\x00"),
}
_NOT_READ = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress (.Z)",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
}


def decompressed(stream: BinaryIO, name: str) -> BinaryIO:
    """Opens what is compressed in a stream; gives the stream itself if nothing is.

    Args:
        stream: has `peek`.
        name: the name of the file that the stream is; .gz, .bz2 and .xz say how it is compressed.

    Raises:
        InputError: if it is compressed in a way that is not read.
    """
    start = stream.peek(10)[:10]
    ending = PurePath(name).suffix.lower()
    if ending not in _OPENERS:
        ending = next((ending for ending, is_it in _STARTS.items() if is_it.match(start)), "")
    if ending:
        return _OPENERS[ending](stream)
    for signature, program in _NOT_READ.items():
        if start.startswith(signature):
            raise InputError(
                f"{name} is compressed with {program}; expected a plain file, .gz, .bz2, .xz or "
                ".zip. Unpack it first."
            )
    return stream


def without_compression(name: str) -> str:
    """Takes the ends of compressed files off a name.

    >>> without_compression("vectors.npy.gz"), without_compression("vectors.bin")
    ('vectors.npy', 'vectors.bin')
    """
    while PurePath(name).suffix.lower() in (*_OPENERS, ".zip"):
        name = PurePath(name).stem
    return name
