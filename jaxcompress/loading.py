"""Opens what a path holds: a compressed table, a workdir, or vectors. Only a workdir loads jax."""

import os
from pathlib import Path
from typing import TypeVar

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.anchors.seen import with_seen
from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.files import read_codes_text
from jaxcompress.compressed.low_rank import LowRank
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.data.paths import find_either
from jaxcompress.data.text.stdlib import STDLIB
from jaxcompress.data.vectors.files import GET_GLOVE, Vectors, read_vectors
from jaxcompress.data.vectors.shards import find_model
from jaxcompress.data.vectors.tensors import read_header
from jaxcompress.errors import InputError
from jaxcompress.storage.hub import fetch, is_hub
from jaxcompress.storage.places import is_remote, reachable
from jaxcompress.storage.tensors import read_tensors

_KINDS: dict[str, type[CompressedTable]] = {
    kind.file_format: kind for kind in (Codes, SparseAnchors, LowRank)
}
_Kind = TypeVar("_Kind", bound=CompressedTable)


def load(path: str | os.PathLike) -> CompressedTable:
    """Opens a compressed table: `Codes`, `SparseAnchors` or `LowRank`.

    `load_codes` and `load_anchors` open one kind only.

    Args:
        path: a .safetensors file of a compressed table, a `.codes` file with its `.codebook.npy`
            beside it (other DCCL programs write them too), the workdir of a run, or
            "hf://ORG/NAME[@REVISION][/FILE]" of the Hugging Face Hub (extra `hub`).

    Raises:
        InputError: if there is none, or it is damaged.
    """
    if is_hub(path):
        return _load_file(fetch(path, [kind.file_name for kind in _KINDS.values()]))
    place = reachable(path)
    if place.is_dir():
        return _load_workdir(place)
    if not place.exists():
        raise InputError(
            f"no file or folder {place}; expected a .safetensors file, a .codes file or a workdir."
        )
    return _load_file(place)


def load_codes(path: str | os.PathLike) -> Codes:
    """Opens codes.

    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "two.safetensors"
    >>> Codes(np.array([[0], [1]]), np.array([[[1.0], [2.0]]]), ["man", "king"]).save(path)
    >>> load_codes(path)["king"]
    array([2.], dtype=float32)

    Args:
        path: what `load` takes.

    Raises:
        InputError: if there are none, they are damaged, or the path holds another kind.
    """
    return _load_kind(path, Codes)


def load_anchors(path: str | os.PathLike) -> SparseAnchors:
    """Opens a table of sparse mixes of anchors.

    Args:
        path: what `load` takes.

    Raises:
        InputError: if there is none, it is damaged, or the path holds another kind.
    """
    return _load_kind(path, SparseAnchors)


def _load_kind(path: str | os.PathLike, kind: type[_Kind]) -> _Kind:
    table = load(path)
    if not isinstance(table, kind):
        own = {Codes: "load_codes", SparseAnchors: "load_anchors"}.get(type(table), "load")
        raise InputError(f"{path} holds {table.kind}; expected {kind.kind}. Open it with {own}.")
    return table


def read_rows(path: str, tensor: str | None = None) -> Vectors:
    """Reads a table as `read_table` does, and decodes it if it is a compressed one."""
    table = read_table(path, tensor)
    if isinstance(table, Vectors):
        return table
    words = None if table.words is None else list(table.words)
    return Vectors(table.decode(), words, source=path)


def read_table(path: str, tensor: str | None = None) -> Vectors | CompressedTable:
    """Reads a table of vectors or a compressed one, as a config names it.

    Args:
        path: "stdlib", a workdir or file of codes or of anchors, or whatever `read_vectors` reads.
        tensor: the name of the matrix in a .safetensors or .npz file of several; None: the only
            one.

    Raises:
        InputError: if it cannot be read, with file, line or row, and what was expected.
    """
    if path == STDLIB:
        from jaxcompress.data.vectors.stdlib import stdlib_vectors  # here, since it needs SciPy

        return stdlib_vectors()
    if is_hub(path):
        return load(path)
    place = reachable(path) if is_remote(path) else find_either(path, GET_GLOVE)
    place = find_model(place) or place
    if not (place.is_dir() or place.suffix == ".codes" or _is_artefact(place)):
        names_tensors = not {".safetensors", ".npz"}.isdisjoint(place.suffixes)
        return read_vectors(str(place), tensor=tensor if names_tensors else None)
    return load(place)


def _load_workdir(folder: Path) -> CompressedTable:
    """Opens the checkpoint of codes if there is one, else what the run exported."""
    exported = [folder / "export" / kind.file_name for kind in _KINDS.values()]
    found = next((file for file in exported if file.exists()), None)
    if found is not None and not (folder / "artefact").is_dir():
        return _load_file(found)
    from jaxcompress.codes.checkpoint import load_artefact  # here, since it needs jax

    return load_artefact(folder)


def _load_file(file: Path) -> CompressedTable:
    if file.suffix == ".codes":
        return Codes(*read_codes_text(file))
    tensors, metadata = read_tensors(file, list(_KINDS))
    table = _KINDS[metadata["format"]].from_tensors(tensors, metadata)
    return with_seen(table, file) if isinstance(table, SparseAnchors) else table


def _is_artefact(file: Path) -> bool:
    if file.suffix != ".safetensors":
        return False
    if is_remote(file):  # where vectors are not read from
        return True
    return read_header(file).metadata.get("format") in _KINDS
