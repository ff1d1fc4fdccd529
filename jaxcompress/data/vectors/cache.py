"""Vectors that have to be parsed are parsed once, and mapped from a cache after that.

The parsed table goes straight to an .npy file in the cache and is memory-mapped from there, so that
reading takes the memory of a few rows only. What is damaged or gone in the cache is parsed anew.

Axis letters: N rows, D dimensions.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from jaxcompress.data.paths import archive_and_member, cache_dir, open_binary
from jaxcompress.data.text_files import open_text
from jaxcompress.data.vectors.fasttext import fasttext_records
from jaxcompress.data.vectors.text import text_records
from jaxcompress.data.vectors.word2vec import bin_records
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write

RECORDS = {  # by format: how a file is opened, and what yields the word and the numbers of each row
    "text": (open_text, text_records),
    "word2vec": (open_binary, bin_records),
    "fasttext": (open_binary, fasttext_records),
}

_FORMAT = 2  # part of the name of a cached table; raised if the same file gives another table


class ParsedTable(NamedTuple):
    """A table that was parsed.

    Attributes:
        rows: float32 [N, D]; a read-only memory map if there is a cache.
        words: the N names of the rows, all different.
        notes: lines for the user about what was changed in reading.
    """

    rows: np.ndarray
    words: list[str]
    notes: tuple[str, ...]


def read_cached(path: Path, form: str, max_rows: int | None) -> ParsedTable:
    """Reads a file of records, or what an earlier reading of it left in the cache.

    Args:
        path: the file.
        form: one of `RECORDS`.
        max_rows: number of rows; those after it are not read. None: all.

    Raises:
        InputError: if the file does not hold vectors, with its line or row.
    """
    with contextlib.ExitStack() as stack:
        folder, notes = cache_dir() / "vectors", ()
        is_kept = _make_writable(folder)
        if not is_kept:
            notes = (f"the cache {folder} cannot be written; the text is parsed anew each time.",)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base = f"{path.name}-{_fingerprint(path, max_rows)}"
        table, info = folder / f"{base}.npy", folder / f"{base}.json"
        read = None
        with contextlib.suppress(OSError, EOFError, ValueError, KeyError, TypeError):
            read = _load(table, info, is_kept)
        if read is None:
            _parse(path, form, max_rows, table, info)
            read = _load(table, info, is_kept)
        return read._replace(notes=(*read.notes, *notes))


def _load(table: Path, info: Path, is_kept: bool) -> ParsedTable:
    """Opens what `_parse` wrote.

    Raises:
        OSError, EOFError, ValueError, KeyError, TypeError: if it is not there or is damaged.
    """
    about = json.loads(info.read_bytes())
    rows = np.load(table, mmap_mode="r" if is_kept else None)
    words, notes = about["words"], about["notes"]
    if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[0] != len(words):
        raise ValueError(f"{table} and {info} do not belong together")
    return ParsedTable(rows, words, tuple(notes))


def _make_writable(folder: Path) -> bool:
    """Makes a folder; tells whether files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _fingerprint(path: Path, max_rows: int | None) -> str:
    """Names what a reading depends on: the file as it is now, and how much of it is read."""
    stat = archive_and_member(path)[0].stat()
    identity = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, max_rows, _FORMAT]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def _parse(path: Path, form: str, max_rows: int | None, table: Path, info: Path) -> None:
    """Parses `path`; writes the table, then the names of its rows and notes, each file at once."""
    notes: list[str] = []
    words: dict[str, None] = {}
    dim = duplicates = 0
    with atomic_write(table) as partial, open(partial, "wb") as out:
        opener, records = RECORDS[form]
        with opener(path) as stream:
            for word, row in records(stream, path, notes.append):
                if word in words:
                    duplicates += 1
                    continue
                if not words:
                    dim = len(row)
                    _write_header(out, 0, dim)
                words[word] = None
                out.write(row.tobytes())
                if len(words) == max_rows:
                    break
        if not words:
            raise InputError(f"{path}: holds no vectors; expected lines of a word and numbers.")
        out.seek(0)
        _write_header(out, len(words), dim)
    if duplicates:
        notes.append(duplicates_note(duplicates))
    with atomic_write(info) as partial:
        partial.write_text(json.dumps({"words": list(words), "notes": notes}))


def duplicates_note(count: int) -> str:
    """Says how many rows were dropped since their word had come before."""
    return f"dropped duplicate words: {count}; the first of each was kept."


def _write_header(out: BinaryIO, num_rows: int, dim: int) -> None:
    """Writes the .npy header; NumPy pads it so that its length does not depend on `num_rows`."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (num_rows, dim)}
    np.lib.format.write_array_header_1_0(out, header)
