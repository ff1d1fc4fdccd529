"""GloVe, word2vec and fastText files: a word, a space, D numbers. Parsed once, then mapped.

The parsed table goes straight to an .npy file in the cache and is memory-mapped from there, so that
reading takes the memory of a few rows only.

Axis letters: N rows, D dimensions.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxcompress.data.paths import archive_and_member, cache_dir, open_binary
from jaxcompress.data.text_files import open_text
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write

_FORMAT = 2  # part of the name of a cached table; raised if the same file gives another table


def read_cached(path: Path, max_rows: int | None) -> tuple[np.ndarray, list[str], tuple[str, ...]]:
    """Reads a text or .bin file, or what an earlier reading of it left in the cache.

    Returns:
        The table, float32 [N, D], a read-only memory map if there is a cache; the names of its
        rows; and notes.

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
        if not info.exists():  # written last
            _parse(path, max_rows, table, info)
        read = json.loads(info.read_text())
        rows = np.load(table, mmap_mode="r" if is_kept else None)
        return rows, read["words"], (*read["notes"], *notes)


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


def _parse(path: Path, max_rows: int | None, table: Path, info: Path) -> None:
    """Parses `path`; writes the table, then the names of its rows and notes, each file at once."""
    words, dim, duplicates = {}, 0, 0
    with atomic_write(table) as partial, open(partial, "wb") as out:
        is_binary = path.suffix == ".bin"
        records = _bin_records if is_binary else _text_records
        with (open_binary if is_binary else open_text)(path) as stream:
            for word, row in records(stream, path):
                if len(words) == max_rows:
                    break
                if word in words:
                    duplicates += 1
                    continue
                if not words:
                    dim = len(row)
                    _write_header(out, 0, dim)
                words[word] = None
                out.write(row.tobytes())
        if not words:
            raise InputError(f"{path}: holds no vectors; expected lines of a word and numbers.")
        out.seek(0)
        _write_header(out, len(words), dim)
    notes = [duplicates_note(duplicates)] if duplicates else []
    with atomic_write(info) as partial:
        partial.write_text(json.dumps({"words": list(words), "notes": notes}))


def duplicates_note(count: int) -> str:
    """Says how many rows were dropped since their word had come before."""
    return f"dropped duplicate words: {count}; the first of each was kept."


def _write_header(out: BinaryIO, num_rows: int, dim: int) -> None:
    """Writes the .npy header; NumPy pads it so that its length does not depend on `num_rows`."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (num_rows, dim)}
    np.lib.format.write_array_header_1_0(out, header)


def _text_records(stream: BinaryIO, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (word, float32 [D]); a word may hold spaces, the last D columns are numbers."""
    dim = num_rows = None
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how older NumPy says "not a number"
        for number, line in enumerate(stream, 1):
            line = line.rstrip(b" \t\n").replace(b"\t", b" ")
            if not line:
                continue
            if number == 1 and (header := _header(line)):
                num_rows, dim = header
                continue
            word, _, rest = line.partition(b" ")
            row = _numbers(rest)
            if row is None or (dim is not None and len(row) != dim):
                word, rest = _word_and_rest(line, dim)
                row = _numbers(rest)
                wrong = row is None or (dim is not None and len(row) != dim)
                if wrong or _is_number(word.split(b" ")[-1]):  # a number too many is no word
                    raise _bad_line(path, number, line, dim)
            if len(row) == 0:
                raise _bad_line(path, number, line, dim)
            dim = len(row)
            if not np.isfinite(np.dot(row, row)) and not np.isfinite(row).all():
                raise InputError(
                    f"{path}, line {number}: NaN or infinity; expected {dim} finite "
                    f"numbers after the word {_show(word)}."
                )
            count += 1
            yield word.decode("utf-8", errors="surrogateescape"), row
    if num_rows is not None and count != num_rows:
        raise InputError(f"{path}: {count} rows; its header says {num_rows}. Is it cut short?")


def _header(line: bytes) -> tuple[int, int] | None:
    """Reads `N D` on the first line, as word2vec and fastText write it; None if it is no header."""
    columns = line.split()
    if len(columns) == 2 and all(c.isdigit() for c in columns):
        return int(columns[0]), int(columns[1])
    return None


def _numbers(text: bytes) -> np.ndarray | None:
    """Parses numbers separated by spaces: float32 [n]; None if one of them is no number."""
    try:
        return np.fromstring(text, np.float32, sep=" ")
    except (ValueError, DeprecationWarning):
        return None


def _word_and_rest(line: bytes, dim: int | None) -> tuple[bytes, bytes]:
    """Cuts a line before its last `dim` columns; on the first line, before all that are numbers."""
    columns = line.rsplit(b" ", dim) if dim is not None else line.split(b" ")
    if dim is None:  # the word ends before the longest tail of numbers
        start = len(columns)
        while start > 1 and _is_number(columns[start - 1]):
            start -= 1
        columns = [b" ".join(columns[:start]), *columns[start:]]
    return columns[0], b" ".join(columns[1:])


def _is_number(column: bytes) -> bool:
    try:
        float(column)
    except ValueError:
        return False
    return True


def _bad_line(path: Path, number: int, line: bytes, dim: int | None) -> InputError:
    """Says what is wrong with a line: a column that is no number, or the number of columns."""
    columns = line.split(b" ")
    wanted = "a word and numbers" if dim is None else f"a word and {dim} numbers"
    tail = columns[1:] if dim is None else columns[-dim:]
    bad = next((c for c in tail if not _is_number(c)), None)
    if len(columns) - 1 >= (dim or 1) and bad is not None:
        return InputError(
            f"{path}, line {number}: {_show(bad)} is not a number; expected {wanted}."
        )
    return InputError(
        f"{path}, line {number}: the number of columns is {len(columns)}; expected {wanted}."
    )


def _show(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", errors="replace"))


def _bin_records(stream: BinaryIO, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (word, float32 [D]) of word2vec's binary form.

    `N D` in text, then for each row a word, a space and D numbers, with a line end or without.
    """
    header = _header(stream.readline(100).strip())
    if header is None:
        raise InputError(
            f"{path}: its first line is not 'rows dimensions'; expected word2vec .bin."
        )
    num_rows, dim = header
    pending, start = b"", 0
    for row in range(num_rows):
        space = pending.find(b" ", start)
        while space < 0 or len(pending) < space + 1 + 4 * dim:
            more = stream.read(max(1 << 20, 8 * dim))
            if not more:
                raise InputError(
                    f"{path}: cut short in row {row} (from 0); its header says {num_rows} rows of "
                    f"{dim} numbers."
                )
            pending, start = pending[start:] + more, 0
            space = pending.find(b" ")
        word = pending[start:space].lstrip(b"\n").decode("utf-8", errors="surrogateescape")
        values = np.frombuffer(pending, "<f4", dim, space + 1)
        if not np.isfinite(values).all():
            raise InputError(
                f"{path}: row {row} (from 0), {word!r}, holds NaN or infinity; expected finite "
                "numbers."
            )
        yield word, values
        start = space + 1 + 4 * dim
