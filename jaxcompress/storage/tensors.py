"""The container of all artefacts: named arrays and strings in one .safetensors file, with a hash.

The hash is over the arrays, their shapes and the metadata, so that a changed byte is noticed.
"""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.places import local_copy

VERSION = "1"  # of what is written; a format may write another one where earlier releases fail
# Types of numbers, by NumPy's names and by those of .safetensors.
_DTYPES = {"float32": "F32", "float16": "F16", "uint8": "U8", "int8": "I8", "uint16": "U16"}
_VERSIONS = ("1", "2")  # which read_tensors takes


def write_tensors(
    path: str | os.PathLike,
    tensors: dict[str, np.ndarray],
    format: str,
    metadata: Mapping[str, str],
    version: str = VERSION,
) -> None:
    """Writes tensors and metadata to one file, with a hash of both.

    Args:
        path: the file.
        tensors: arrays by name, each contiguous.
        format: what kind of artefact it is; `read_tensors` gives it back as `metadata["format"]`.
        metadata: further strings.
        version: of the format; earlier releases refuse those that they do not know.
    """
    save_tensors(path, tensors, _with_hash(tensors, format, metadata, version))


def save_tensors(
    path: str | os.PathLike, tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None
) -> None:
    """Writes a plain .safetensors file, with the permissions that `open` would give it."""
    with atomic_write(path) as partial:
        partial.touch()  # safetensors gives its files to the owner alone
        mode = partial.stat().st_mode
        safetensors.numpy.save_file(tensors, partial, metadata)
        if metadata:
            _sort_metadata(partial)
        partial.chmod(mode)


def _sort_metadata(file: Path) -> None:
    """Sorts the metadata of a file: safetensors writes the same ones in another order each time."""
    with open(file, "r+b") as stream:
        size = int.from_bytes(stream.read(8), "little")
        entries = json.loads(stream.read(size))
        entries["__metadata__"] = dict(sorted(entries["__metadata__"].items()))
        text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
        stream.seek(8)
        stream.write(text.ljust(size))


class Large(NamedTuple):
    """A tensor of bytes that is not held whole: uint8 of a shape, in chunks of its first axis."""

    name: str
    shape: tuple[int, ...]
    chunks: Iterable[np.ndarray]


def write_with_large(
    path: str | os.PathLike,
    tensors: dict[str, np.ndarray],
    format: str,
    metadata: Mapping[str, str],
    version: str,
    large: Large,
) -> None:
    """Writes what `write_tensors` would, had it the large tensor too.

    Args:
        path: the file.
        tensors: the others.
        format: as `write_tensors` takes it, and so are metadata and version.
        metadata: further strings.
        version: of the format.
        large: written as its chunks come.
    """
    kinds = {name: (x.dtype, x.shape) for name, x in tensors.items()}
    kinds[large.name] = np.dtype(np.uint8), large.shape
    stored = {**metadata, "format": format, "version": version}
    header, starts = _header(kinds, {**stored, "sha256": "0" * 64})
    parts: dict[str, Iterable[np.ndarray]] = {
        name: (np.ascontiguousarray(x),) for name, x in tensors.items()
    }
    parts[large.name] = large.chunks
    digest = hashlib.sha256(repr(sorted(stored.items())).encode())
    with atomic_write(path) as partial, open(partial, "wb") as file:
        for name in sorted(kinds):
            digest.update(f"{name} {kinds[name][0]} {kinds[name][1]}".encode())
            file.seek(starts[name])
            for part in parts[name]:
                digest.update(part.data)
                file.write(part.data)
        file.seek(0)
        file.write(header.replace(b"0" * 64, digest.hexdigest().encode()))


def _header(
    kinds: Mapping[str, tuple[np.dtype, tuple[int, ...]]], metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, int]]:
    """Makes the first bytes of a .safetensors file, and where in it each tensor begins.

    Tensors of wide numbers come first, so that all of them are aligned.
    """
    entries: dict[str, Any] = {"__metadata__": dict(metadata)}
    offsets, end = {}, 0
    for name, (kind, shape) in sorted(kinds.items(), key=lambda item: -item[1][0].itemsize):
        offsets[name], end = end, end + kind.itemsize * math.prod(shape)
        entry = {"dtype": _DTYPES[kind.name], "shape": shape, "data_offsets": [offsets[name], end]}
        entries[name] = entry
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    first = 8 + len(text)
    header = len(text).to_bytes(8, "little") + text
    return header, {name: first + offset for name, offset in offsets.items()}


@contextlib.contextmanager
def mapped_tensors(
    path: str | os.PathLike, format: str
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, str]]]:
    """Opens a file of `write_tensors` without reading it: tensors are memory maps inside the block.

    Its hash, which would take reading all of it, is not checked.

    Yields:
        Tensors by name; and metadata as `read_tensors` gives them.

    Raises:
        InputError: if it is no such file.
    """
    kinds = {name: np.dtype(kind) for kind, name in _DTYPES.items()}
    with local_copy(path) as local:
        try:
            with open(local, "rb") as file:
                length = int.from_bytes(file.read(8), "little")
                entries = json.loads(file.read(length))
            metadata = entries.pop("__metadata__")
            if metadata.pop("sha256", None) is None or metadata["format"] != format:
                raise ValueError(f"its format is {metadata.get('format')!r}")
            tensors = {
                name: _map(local, kinds[x["dtype"]], x["shape"], 8 + length + x["data_offsets"][0])
                for name, x in entries.items()
            }
        except (ValueError, KeyError, OSError, OverflowError, MemoryError) as error:
            raise InputError(f"{path}: damaged ({error}); delete it.") from None
        yield tensors, metadata


def _map(file: Path, kind: np.dtype, shape: Sequence[int], offset: int) -> np.ndarray:
    if 0 in shape:
        return np.zeros(shape, kind)
    return np.memmap(file, kind, "r", offset, tuple(shape))


def count_bytes(
    tensors: dict[str, np.ndarray],
    format: str,
    metadata: Mapping[str, str],
    version: str = VERSION,
) -> int:
    """Counts the bytes of the file that `write_tensors` would write."""
    stored = _with_hash(tensors, format, metadata, version)
    return len(safetensors.numpy.save(tensors, stored))


def _with_hash(
    tensors: dict[str, np.ndarray], format: str, metadata: Mapping[str, str], version: str
) -> dict[str, str]:
    stored = {**metadata, "format": format, "version": version}
    return {**stored, "sha256": _digest(tensors, stored)}


def read_tensors(
    path: str | os.PathLike, formats: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads what `write_tensors` wrote.

    Args:
        path: the file.
        formats: those that are accepted.

    Returns:
        Tensors by name; and metadata, its "format" and "version" included, its hash not.

    Raises:
        InputError: if it has another format or version, or is cut short or damaged.
    """
    try:
        with local_copy(path) as local, safetensors.safe_open(local, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a .safetensors file, or cut short ({error}).") from None
    if metadata.get("format") not in formats:
        raise InputError(
            f"{path}: holds no compressed table (its format is {metadata.get('format')!r}; "
            f"expected {' or '.join(map(repr, formats))})."
        )
    if metadata.get("version") not in _VERSIONS:
        raise InputError(
            f"{path}: has version {metadata.get('version')!r} of the format; this release reads "
            f"versions {' and '.join(map(repr, _VERSIONS))}."
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
