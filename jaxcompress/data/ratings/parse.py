"""Columns of ratings by pyarrow, a fast parser, which is imported here alone (extra `ratings`)."""

import codecs
import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv

from jaxcompress.data.ratings.layout import Layout
from jaxcompress.data.rows import has_quotes
from jaxcompress.data.text_files import open_text

FAULTS = (pyarrow.ArrowInvalid, UnicodeDecodeError)  # what `parse` raises for a wrong file
_BLOCK = 1 << 24  # bytes parsed at a time


def parse(file: Path, layout: Layout, with_times: bool) -> pyarrow.Table:
    """Reads the columns that are needed; ids are kept as dictionaries of strings.

    Raises:
        ArrowInvalid: if a line has other columns or what should be a number is none.
        UnicodeDecodeError: if a line is not UTF-8, also in a column that is not needed.
    """
    ids = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    types = {"user": ids, "item": ids}
    if "rating" in layout.columns:
        types["rating"] = pyarrow.float32()
    if with_times:
        types["timestamp"] = pyarrow.int64()
    names, quoted = list(layout.columns), has_quotes(layout.separator)
    if layout.separator == "::":  # pyarrow takes one character: an empty column is between any two
        names = [part for name in names for part in (name, f"after {name}")][:-1]
    with open_text(file) as stream:
        return pyarrow.csv.read_csv(
            pyarrow.PythonFile(_Utf8(stream), mode="r"),
            pyarrow.csv.ReadOptions(
                column_names=names, skip_rows=layout.header_lines, block_size=_BLOCK
            ),
            pyarrow.csv.ParseOptions(
                delimiter=layout.separator[0],
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
            ),
            pyarrow.csv.ConvertOptions(
                include_columns=list(types), column_types=types, null_values=[]
            ),
        )


class _Utf8(io.RawIOBase):
    """A stream whose bytes are checked to be UTF-8: the parser checks those that it keeps alone."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Reads bytes; raises UnicodeDecodeError."""
        chunk = self._stream.read(size)
        self._decoder.decode(chunk, final=not chunk)
        return chunk


def has_line_break(ids: pyarrow.ChunkedArray) -> bool:
    """Tells whether one of the distinct ids has one: where a quote is not closed, one often has."""
    found = (pyarrow.compute.match_substring(c.dictionary, "\n") for c in ids.chunks)
    return any(pyarrow.compute.any(some).as_py() for some in found)


def number_ids(columns: list[pyarrow.ChunkedArray]) -> tuple[np.ndarray, list[str]]:
    """Numbers ids in their order: as numbers if all of them are, else as strings.

    Returns:
        int32 [n], the number of each rating's id; and the distinct ids, in order.
    """
    chunks = [chunk for column in columns for chunk in column.chunks]
    joined = pyarrow.chunked_array(chunks).unify_dictionaries()
    ids = joined.chunk(0).dictionary.to_pylist()
    if all(some.isdecimal() for some in ids if some.strip()):
        order = sorted(range(len(ids)), key=lambda i: (int(ids[i].strip() or -1), ids[i]))
    else:
        order = sorted(range(len(ids)), key=ids.__getitem__)
    rank = np.empty(len(ids), np.int32)
    rank[order] = np.arange(len(ids), dtype=np.int32)
    numbers = np.concatenate([rank[chunk.indices.to_numpy()] for chunk in joined.chunks])
    return numbers, [ids[i] for i in order]
