"""Files of codes: the .safetensors artefact, and the text form of DCCL programs.

NumPy only. Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcompress.codes import codebook_types
from jaxcompress.codes.groups import Groups
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.bits import pack_codes, unpack_codes
from jaxcompress.storage.names import PackedNames, unpack_names
from jaxcompress.storage.places import as_path, local_copy
from jaxcompress.storage.tensors import VERSION, count_bytes, write_tensors

FORMAT = "jaxcompress.codes"  # metadata["format"] of the .safetensors files
CODES_FILE = "model.safetensors"  # the name under which a run exports its codes
_ENCODER = "encoder."  # what the names of the encoder's tensors begin with
_PACKED = "2"  # version of files whose words or codebooks are not as earlier releases read them
_LAYOUT = "codes.layout"  # metadata, JSON: how a file of this version holds its parts
_CHUNK = 4096  # rows written at a time


class FileContents(NamedTuple):
    """What a file of codes holds; the fields are those of `Codes`, in their order."""

    codes: np.ndarray
    codebooks: np.ndarray
    words: Sequence[str] | None
    encoder: Mapping[str, np.ndarray] | None
    metadata: Mapping[str, str]
    groups: Groups | None = None
    codebook_type: str = "float32"


class _File(NamedTuple):
    """What is written: the arguments of `write_tensors`."""

    tensors: dict[str, np.ndarray]
    format: str
    metadata: dict[str, str]
    version: str


def write_safetensors(path: str | os.PathLike, contents: FileContents) -> None:
    """Writes one file: packed codes, codebooks, words, encoder, metadata and a hash of all.

    Raises:
        InputError: if the type of the codebooks cannot hold their numbers.
    """
    write_tensors(path, *pack(contents))


def count_file_bytes(contents: FileContents) -> int:
    """Counts the bytes of the file that `write_safetensors` writes."""
    return count_bytes(*pack(contents))


def pack(contents: FileContents) -> _File:
    """Packs what a file holds, as earlier releases read it if that takes no more bytes."""
    codebooks, groups = contents.codebooks, contents.groups
    tensors = {"codes": pack_codes(contents.codes, codebooks.shape[1])}
    metadata, version = dict(contents.metadata), VERSION
    is_plain = contents.codebook_type == "float32" and groups is None and contents.words is None
    if is_plain and (len(codebooks) == 1 or not codebook_types.is_folded(codebooks)):
        tensors["codebooks"] = np.ascontiguousarray(codebooks)
    else:
        stored = codebook_types.store(codebooks, contents.codebook_type, groups)
        layout = stored.layout | ({} if groups is None else groups._asdict())
        tensors |= stored.tensors
        metadata[_LAYOUT], version = json.dumps(layout), _PACKED
    if contents.words is not None:
        tensors["words.zlib"] = PackedNames.pack(contents.words).packed
    for name, value in (contents.encoder or {}).items():
        tensors[_ENCODER + name] = np.ascontiguousarray(value)
    return _File(tensors, FORMAT, metadata, version)


def unpack_tensors(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> FileContents:
    """Unpacks the tensors of a file that `write_safetensors` wrote."""
    metadata, groups, kind = dict(metadata), None, "float32"
    words: Sequence[str] | None = None
    if "words.zlib" in tensors:
        words = PackedNames(tensors["words.zlib"], len(tensors["codes"]))
    elif "words" in tensors:
        words = unpack_names(tensors["words"])
    if metadata["version"] == VERSION:
        codebooks = tensors["codebooks"]
    else:
        layout = json.loads(metadata.pop(_LAYOUT))
        if "num_groups" in layout:
            groups = Groups(layout["num_shared"], layout["num_groups"])
        kind = layout["type"]
        codebooks = codebook_types.restore(tensors, layout, groups)
    codes = unpack_codes(tensors["codes"], *codebooks.shape[:2])
    encoder = {
        name.removeprefix(_ENCODER): value
        for name, value in tensors.items()
        if name.startswith(_ENCODER)
    }
    return FileContents(codes, codebooks, words, encoder or None, metadata, groups, kind)


def write_codes_text(
    prefix: str | os.PathLike, codes: np.ndarray, codebooks: np.ndarray, words: Iterable[str] | None
) -> None:
    """Writes `PREFIX.codes` and `PREFIX.codebook.npy` [M*K, D] float32.

    Args:
        prefix: the path without endings.
        codes: int [N, M].
        codebooks: [M, K, D].
        words: for lines `word<TAB>c1 c2 ...`; None: lines `c1 c2 ...`, as the program of the
            paper's authors writes them.
    """
    with atomic_write(f"{prefix}.codebook.npy") as partial, open(partial, "wb") as stream:
        np.save(stream, codebooks.reshape(-1, codebooks.shape[-1]))
    with (
        atomic_write(f"{prefix}.codes") as partial,
        open(partial, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as lines,
    ):
        starts = itertools.repeat("") if words is None else (f"{word}\t" for word in words)
        for first in range(0, len(codes), _CHUNK):
            for row in codes[first : first + _CHUNK].tolist():
                lines.write(f"{next(starts)}{' '.join(map(str, row))}\n")


class _Line(NamedTuple):
    """A line of a .codes file: where it is, `word`, the tab or "", and the codes as text."""

    place: str
    word: str
    tab: str
    codes: str


def read_codes_text(path: str | os.PathLike) -> FileContents:
    """Reads `NAME.codes` with `NAME.codebook.npy` beside it, with or without words.

    Raises:
        InputError: if either is missing or unreadable, with file and line.
    """
    path = as_path(path)
    beside = path.with_suffix(".codebook.npy")
    codebook = _load_codebook(path, beside)
    lines = _split_lines(path)
    num_codebooks = len(lines[0].codes.split())
    _check_codebook(beside, codebook, num_codebooks)
    num_codewords, tab = len(codebook) // num_codebooks, lines[0].tab
    codes = np.stack([_parse_codes(line, num_codebooks, num_codewords, tab) for line in lines])
    words = [line.word for line in lines] if tab else None
    codebooks = codebook.reshape(num_codebooks, -1, codebook.shape[1])
    return FileContents(codes, codebooks, words, None, {})


def _load_codebook(path: Path, beside: Path) -> np.ndarray:
    if not beside.exists():
        raise InputError(f"{path}: no {beside.name} beside it; expected the codebook, [M*K, D].")
    try:
        with local_copy(beside) as local:
            return np.load(local, allow_pickle=False)
    except Exception as error:  # a damaged header is parsed as Python, which can fail in many ways
        reason = str(error).partition("\n")[0]
        raise InputError(f"{beside}: not a readable .npy file ({reason}).") from None


def _split_lines(path: Path) -> list[_Line]:
    """Splits a .codes file in its lines, without the blank ones; there is one or more."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    lines = [
        _Line(f"{path}, line {number}", *line.removesuffix("\r").rpartition("\t"))
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]
    if not lines:
        raise InputError(f"{path}: empty; expected lines of a word, a tab and codes.")
    return lines


def _check_codebook(beside: Path, codebook: np.ndarray, num_codebooks: int) -> None:
    if (
        codebook.ndim != 2
        or codebook.dtype.kind != "f"
        or num_codebooks == 0
        or not len(codebook)
        or len(codebook) % num_codebooks
        or not np.isfinite(codebook).all()
    ):
        raise InputError(
            f"{beside}: {codebook.dtype} {list(codebook.shape)}; expected finite numbers [M*K, D] "
            f"with M = {num_codebooks}, the number of codes in a line."
        )


def _parse_codes(line: _Line, num_codebooks: int, num_codewords: int, tab: str) -> np.ndarray:
    """Parses the codes of a line: int64 [M]; `tab` is that of the first line."""
    columns = line.codes.split()
    if len(columns) != num_codebooks or not all(c.isdecimal() for c in columns):
        raise InputError(
            f"{line.place}: expected {num_codebooks} codes, found {line.codes[:40]!r}."
        )
    if any(int(c) >= num_codewords for c in columns):
        raise InputError(
            f"{line.place}: {line.codes[:60]!r}; codes are from 0 to {num_codewords - 1}."
        )
    if line.tab != tab:
        raise InputError(
            f"{line.place}: a word and a tab are in some lines only; expected them in all."
        )
    return np.array(columns, np.int64)
