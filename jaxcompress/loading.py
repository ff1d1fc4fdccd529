"""What `jaxcompress` offers at its top. Whatever needs jax is imported when it is called."""

import os
from pathlib import Path

from jaxcompress.anchors import artefact as anchors
from jaxcompress.anchors.artefact import ANCHORS_FILE, SparseAnchors
from jaxcompress.codes import files as codes
from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.files import CODES_FILE, read_codes_text, unpack_tensors
from jaxcompress.data.paths import expand, find_either
from jaxcompress.data.text.stdlib import SOURCE
from jaxcompress.data.vectors.files import GET_GLOVE, Vectors, read_header, read_vectors
from jaxcompress.errors import InputError
from jaxcompress.storage.tensors import read_tensors


def load(path: str | os.PathLike) -> Codes | SparseAnchors:
    """Opens a compressed table.

    Args:
        path: a .safetensors file of codes or of anchors, a `.codes` file with its `.codebook.npy`
            beside it (those of the DCCL implementations too), or the workdir of a run.

    Raises:
        InputError: where there is none, or it is damaged.
    """
    path = expand(path)
    if path.is_dir():
        exported = (path / "export" / name for name in (ANCHORS_FILE, CODES_FILE))
        found = None if (path / "artefact").is_dir() else next(filter(Path.exists, exported), None)
        if found is None:
            from jaxcompress.codes.checkpoint import load_artefact

            return load_artefact(path)
        path = found
    if not path.exists():
        raise InputError(
            f"no file or folder {path}; expected a .safetensors file, a .codes file or a workdir."
        )
    if path.suffix == ".codes":
        return Codes(*read_codes_text(path))
    tensors, metadata = read_tensors(path, (codes.FORMAT, anchors.FORMAT))
    if metadata["format"] == anchors.FORMAT:
        return SparseAnchors.of(tensors, metadata)
    return Codes(*unpack_tensors(tensors, metadata))


def read_table(path: str, tensor: str | None = None) -> Vectors | Codes:
    """Reads "stdlib", a workdir or file of codes, or whatever `read_vectors` reads.

    Args:
        path: as configs name it.
        tensor: which one, in a .safetensors file of several matrices.

    Raises:
        InputError: with file, line or row, and what was expected.
    """
    if path == SOURCE:
        from jaxcompress.data.vectors.stdlib import stdlib_vectors  # here, since it needs SciPy

        return stdlib_vectors()
    place = find_either(path, GET_GLOVE)
    is_tensors = place.suffix == ".safetensors"
    if not (place.is_dir() or place.suffix == ".codes" or (is_tensors and _is_artefact(place))):
        return read_vectors(str(place), tensor=tensor if is_tensors else None)
    table = load(place)
    if not isinstance(table, Codes):
        raise InputError(f"{place} holds anchors; expected vectors or codes.")
    return table


def _is_artefact(file: Path) -> bool:
    about = read_header(file)[0].get("__metadata__", {})
    return about.get("format") in (codes.FORMAT, anchors.FORMAT)
