"""Files of codes: bit-packing, the .safetensors artefact, the references' text, word2vec's text.

NumPy only. Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import hashlib
import itertools
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from jaxcompress.errors import InputError

FORMAT = "jaxcompress.codes"
CODES_FILE = "model.safetensors"  # as a run exports them
VERSION = "1"
_CHUNK = 4096  # rows packed or written at a time


class replacing:
    """`with replacing(path) as partial:` writes a file under another name, then renames it."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> Path:
        return self.partial

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            os.replace(self.partial, self.path)
        else:
            self.partial.unlink(missing_ok=True)


def code_bits(num_codewords: int) -> int:
    """Bits of one code: ceil(log2 K)."""
    return (num_codewords - 1).bit_length()


def code_type(num_codewords: int) -> type:
    """The smallest unsigned type that holds a code."""
    return np.uint8 if num_codewords <= 256 else np.uint16


def pack_codes(codes: np.ndarray, num_codewords: int) -> np.ndarray:
    """Packs each row's codes, low bit first: int [N, M] -> uint8 [N, ceil(M*bits/8)]."""
    bits, (num_rows, num_codebooks) = code_bits(num_codewords), codes.shape
    packed = np.empty((num_rows, math.ceil(num_codebooks * bits / 8)), np.uint8)
    shifts = np.arange(bits, dtype=np.uint16)
    for start in range(0, num_rows, _CHUNK):
        chunk = codes[start : start + _CHUNK].astype(np.uint16)
        flags = ((chunk[:, :, None] >> shifts) & 1).astype(np.uint8)
        packed[start : start + _CHUNK] = np.packbits(
            flags.reshape(len(chunk), -1), axis=1, bitorder="little"
        )
    return packed


def unpack_codes(packed: np.ndarray, num_codebooks: int, num_codewords: int) -> np.ndarray:
    """The inverse of `pack_codes`: uint8 [N, bytes] -> uint8 or uint16 [N, M]."""
    bits, num_rows = code_bits(num_codewords), len(packed)
    codes = np.empty((num_rows, num_codebooks), code_type(num_codewords))
    weights = (1 << np.arange(bits)).astype(np.uint16)
    for start in range(0, num_rows, _CHUNK):
        flags = np.unpackbits(
            packed[start : start + _CHUNK], axis=1, count=num_codebooks * bits, bitorder="little"
        )
        codes[start : start + _CHUNK] = flags.reshape(len(flags), num_codebooks, bits) @ weights
    return codes


class Table(NamedTuple):
    """What a file of codes holds; the fields are those of `Codes`."""

    codes: np.ndarray
    codebooks: np.ndarray
    words: list[str] | None
    encoder: dict[str, np.ndarray] | None
    metadata: dict[str, str]


def write_safetensors(path: str | os.PathLike, table: Table) -> None:
    """Writes one file: packed codes, codebooks, words, encoder, metadata with a hash of it all."""
    num_codewords = table.codebooks.shape[1]
    tensors = {
        "codes": pack_codes(table.codes, num_codewords),
        "codebooks": np.ascontiguousarray(table.codebooks),
    }
    if table.words is not None:
        tensors["words"] = pack_words(table.words)
    for name, value in (table.encoder or {}).items():
        tensors[f"encoder.{name}"] = np.ascontiguousarray(value)
    write_tensors(path, tensors, FORMAT, table.metadata)


def codes_of(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> Table:
    """What `write_safetensors` wrote, of the tensors of its file."""
    codebooks = tensors["codebooks"]
    words = unpack_words(tensors["words"]) if "words" in tensors else None
    codes = unpack_codes(tensors["codes"], *codebooks.shape[:2])
    encoder = {k[8:]: v for k, v in tensors.items() if k.startswith("encoder.")}
    return Table(codes, codebooks, words, encoder or None, metadata)


def pack_words(words: Iterable[str]) -> np.ndarray:
    """Words as uint8, a line each."""
    text = "".join(f"{word}\n" for word in words)
    return np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8)


def unpack_words(packed: np.ndarray) -> list[str]:
    """The inverse of `pack_words`."""
    return packed.tobytes().decode("utf-8", "surrogateescape").split("\n")[:-1]


def write_tensors(
    path: str | os.PathLike,
    tensors: dict[str, np.ndarray],
    format: str,
    metadata: Mapping[str, str],
) -> None:
    """Writes an artefact's file, with a hash of its tensors and metadata."""
    about = {**metadata, "format": format, "version": VERSION}
    about["sha256"] = _digest(tensors, about)
    with replacing(path) as partial:
        safetensors.numpy.save_file(tensors, partial, about)
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)  # it is written for its owner alone


def read_tensors(
    path: str | os.PathLike, formats: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads what `write_tensors` wrote: tensors, and metadata with the format among it.

    Raises:
        InputError: where it is something else, cut short or damaged.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a .safetensors file, or cut short ({error}).") from None
    if metadata.get("format") not in formats:
        raise InputError(
            f"{path}: holds no compressed table (its format is {metadata.get('format')!r}; "
            f"expected {' or '.join(map(repr, formats))})."
        )
    if metadata.get("version") != VERSION:
        raise InputError(
            f"{path}: version {metadata.get('version')!r} of the format; this "
            f"release reads {VERSION!r}."
        )
    if metadata.pop("sha256", None) != _digest(tensors, metadata):
        raise InputError(f"{path}: damaged; its hash differs from the one it was written with.")
    return tensors, metadata


def _digest(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def write_text(
    prefix: str | os.PathLike, codes: np.ndarray, codebooks: np.ndarray, names: Iterable[str] | None
) -> None:
    """Writes `PREFIX.codes` and `PREFIX.codebook.npy` [M*K, D] float32.

    Args:
        prefix: the path without endings.
        codes: int [N, M].
        codebooks: [M, K, D].
        names: for lines `word<TAB>c1 c2 ...`; None: `c1 c2 ...`, as the original writes them.
    """
    with replacing(f"{prefix}.codebook.npy") as partial, open(partial, "wb") as stream:
        np.save(stream, codebooks.reshape(-1, codebooks.shape[-1]))
    with (
        replacing(f"{prefix}.codes") as partial,
        open(partial, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream,
    ):
        starts = (f"{name}\t" for name in names) if names is not None else itertools.repeat("")
        for first in range(0, len(codes), _CHUNK):
            for row in codes[first : first + _CHUNK].tolist():
                stream.write(f"{next(starts)}{' '.join(map(str, row))}\n")


def write_word2vec(
    path: str | os.PathLike,
    shape: tuple[int, int],
    names: Iterable[str],
    chunks: Iterable[np.ndarray],
) -> None:
    """Writes rows as word2vec text; see `Codes.to_word2vec`.

    Args:
        path: of the file.
        shape: N and D.
        names: N.
        chunks: float32 [at most N, D] each, N rows altogether.
    """
    names, line = iter(names), "%s" + " %.9g" * shape[1] + "\n"
    with (
        replacing(path) as partial,
        open(partial, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream,
    ):
        stream.write(f"{shape[0]} {shape[1]}\n")
        for rows in chunks:
            for row in rows.tolist():
                name = re.sub(r"\s", "_", next(names)) or "_"
                stream.write(line % (name, *row))


def read_text(path: str | os.PathLike) -> Table:
    """Reads `NAME.codes` with `NAME.codebook.npy` beside it, with or without words.

    Raises:
        InputError: with file and line.
    """
    path = Path(path)
    beside = path.with_suffix(".codebook.npy")
    if not beside.exists():
        raise InputError(f"{path}: no {beside.name} beside it; expected the codebook, [M*K, D].")
    try:
        codebook = np.load(beside, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{beside}: not a readable .npy file ({error}).") from None
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    lines = [
        (f"{path}, line {number}", *line.removesuffix("\r").rpartition("\t"))
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]
    if not lines:
        raise InputError(f"{path}: empty; expected lines of a word, a tab and codes.")
    _, _, tab, codes = lines[0]
    num_codebooks = len(codes.split())
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
            f"with M = {num_codebooks}, the codes of a line."
        )
    num_codewords, rows, names = len(codebook) // num_codebooks, [], []
    for place, name, its_tab, codes in lines:
        columns = codes.split()
        if len(columns) != num_codebooks or not all(c.isdecimal() for c in columns):
            raise InputError(f"{place}: expected {num_codebooks} codes, found {codes[:40]!r}.")
        if any(int(c) >= num_codewords for c in columns):
            raise InputError(f"{place}: {codes[:60]!r}; codes are from 0 to {num_codewords - 1}.")
        if its_tab != tab:
            raise InputError(f"{place}: a word and a tab are in some lines only; expected in all.")
        names.append(name)
        rows.append(np.array(columns, np.int64))
    codebooks = codebook.reshape(num_codebooks, -1, codebook.shape[1])
    return Table(np.stack(rows), codebooks, names if tab else None, None, {})
