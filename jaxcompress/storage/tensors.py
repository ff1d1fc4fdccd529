"""Files of codes: bit-packing, the .safetensors artefact, the references' text, word2vec's text.

NumPy only. Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence

import numpy as np
import safetensors
import safetensors.numpy

from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write

VERSION = "1"


def write_tensors(
    path: str | os.PathLike,
    tensors: dict[str, np.ndarray],
    format: str,
    metadata: Mapping[str, str],
) -> None:
    """Writes an artefact's file, with a hash of its tensors and metadata."""
    about = {**metadata, "format": format, "version": VERSION}
    about["sha256"] = _digest(tensors, about)
    with atomic_write(path) as partial:
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
