"""The container of all artefacts: named arrays and strings in one .safetensors file, with a hash.

The hash is over the arrays, their shapes and the metadata, so that a changed byte is noticed.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence

import numpy as np
import safetensors
import safetensors.numpy

from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.places import local_copy

VERSION = "1"  # of what is written; a format may write another one where earlier releases fail
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
        partial.chmod(mode)


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
