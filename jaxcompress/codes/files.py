"""Files of codes: bit-packing, the .safetensors artefact, the references' text, word2vec's text.

NumPy only. Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.bits import pack_codes, unpack_codes
from jaxcompress.storage.names import pack_names, unpack_names
from jaxcompress.storage.tensors import write_tensors

FORMAT = "jaxcompress.codes"


CODES_FILE = "model.safetensors"  # as a run exports them


_CHUNK = 4096  # rows packed or written at a time


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
        tensors["words"] = pack_names(table.words)
    for name, value in (table.encoder or {}).items():
        tensors[f"encoder.{name}"] = np.ascontiguousarray(value)
    write_tensors(path, tensors, FORMAT, table.metadata)


def codes_of(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> Table:
    """What `write_safetensors` wrote, of the tensors of its file."""
    codebooks = tensors["codebooks"]
    words = unpack_names(tensors["words"]) if "words" in tensors else None
    codes = unpack_codes(tensors["codes"], *codebooks.shape[:2])
    encoder = {k[8:]: v for k, v in tensors.items() if k.startswith("encoder.")}
    return Table(codes, codebooks, words, encoder or None, metadata)


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
    with atomic_write(f"{prefix}.codebook.npy") as partial, open(partial, "wb") as stream:
        np.save(stream, codebooks.reshape(-1, codebooks.shape[-1]))
    with (
        atomic_write(f"{prefix}.codes") as partial,
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
        atomic_write(path) as partial,
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
