"""GloVe, word2vec and fastText files: a word, a space, D numbers. Parsed once, then mapped.

The parsed table goes straight to an .npy file in the cache and is memory-mapped from there, so
that reading needs no more memory than a few rows.
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

from jaxcompress.data.paths import cache_dir, open_binary, split_zip
from jaxcompress.errors import InputError

_FORMAT = 1  # raised when what is cached for the same file changes


def read_cached(path: Path, max_rows: int | None) -> tuple[np.ndarray, list[str], tuple[str, ...]]:
    """Reads `path`, or what an earlier reading left in the cache.

    Returns:
        float32 [N, D], N words, and notes.
    """
    archive, member = split_zip(path)
    stat = archive.stat()
    identity = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, max_rows, _FORMAT]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    with contextlib.ExitStack() as stack:
        folder, notes = cache_dir() / "vectors", ()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK)
        except OSError:
            writable = False
        if not writable:
            notes = (f"the cache {folder} cannot be written; the text is parsed anew each time.",)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base = folder / f"{path.name}-{digest}"
        table, info = base.with_name(base.name + ".npy"), base.with_name(base.name + ".json")
        if not info.exists():  # written last
            _parse_to(path, archive, member, max_rows, table, info)
        about = json.loads(info.read_text())
        rows = np.load(table, mmap_mode="r" if writable else None)
        return rows, about["words"], (*about["notes"], *notes)


def _parse_to(
    path: Path, archive: Path, member: str | None, max_rows: int | None, table: Path, info: Path
) -> None:
    """Writes the table and its words under temporary names, then renames both."""
    partial = table.with_name(f"{table.name}.{os.getpid()}.tmp")
    try:
        with open_binary(path) as stream, open(partial, "wb") as out:
            records = _bin_records if path.suffix == ".bin" else _text_records
            words, dim, duplicates = {}, 0, 0
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
        notes = []
        if duplicates:
            notes.append(f"{duplicates} duplicate words were dropped; the first of each was kept.")
        os.replace(partial, table)
        partial = info.with_name(f"{info.name}.{os.getpid()}.tmp")
        partial.write_text(json.dumps({"words": list(words), "notes": notes}))
        os.replace(partial, info)
    finally:
        partial.unlink(missing_ok=True)


def _write_header(out: BinaryIO, num_rows: int, dim: int) -> None:
    """Writes the .npy header; NumPy pads it so that its length does not depend on `num_rows`."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (num_rows, dim)}
    np.lib.format.write_array_header_1_0(out, header)


def _text_records(stream: BinaryIO, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (word, float32 [D]); the word may hold spaces, the last D columns are numbers."""
    dim = expected = None
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how older NumPy says "not a number"
        for number, line in enumerate(stream, 1):
            line = line.rstrip(b" \t\r\n").replace(b"\t", b" ")
            if not line:
                continue
            if number == 1 and (header := _header(line)):
                expected, dim = header
                continue
            word, _, rest = line.partition(b" ")
            row = _numbers(rest)
            if row is None or (dim is not None and len(row) != dim):
                word, rest = _split_columns(line, dim)
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
    if expected is not None and count != expected:
        raise InputError(f"{path}: {count} rows; its header says {expected}. Is it cut short?")


def _header(line: bytes) -> tuple[int, int] | None:
    """`N D` on the first line, as word2vec and fastText write it."""
    columns = line.split()
    if len(columns) == 2 and all(c.isdigit() for c in columns):
        return int(columns[0]), int(columns[1])
    return None


def _numbers(text: bytes) -> np.ndarray | None:
    try:
        return np.fromstring(text, np.float32, sep=" ")
    except (ValueError, DeprecationWarning):
        return None


def _split_columns(line: bytes, dim: int | None) -> tuple[bytes, bytes]:
    """Takes the last `dim` columns as numbers; on the first line, all that follow the word."""
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
    columns = line.split(b" ")
    wanted = "a word and numbers" if dim is None else f"a word and {dim} numbers"
    tail = columns[1:] if dim is None else columns[-dim:]
    bad = next((c for c in tail if not _is_number(c)), None)
    if len(columns) - 1 >= (dim or 1) and bad is not None:
        return InputError(
            f"{path}, line {number}: {_show(bad)} is not a number; expected {wanted}."
        )
    return InputError(f"{path}, line {number}: {len(columns)} columns; expected {wanted}.")


def _show(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", errors="replace"))


def _bin_records(stream: BinaryIO, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """word2vec's binary form: `N D` in text, then a word, a space and D float32 for each row."""
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
                    f"{path}: cut short in row {row}; its header says {num_rows} rows "
                    f"of {dim} numbers."
                )
            pending, start = pending[start:] + more, 0
            space = pending.find(b" ")
        word = pending[start:space].lstrip(b"\n").decode("utf-8", errors="surrogateescape")
        values = np.frombuffer(pending, "<f4", dim, space + 1)
        if not np.isfinite(values).all():
            raise InputError(f"{path}: row {row} ({word!r}) holds NaN or infinity.")
        yield word, values
        start = space + 1 + 4 * dim
