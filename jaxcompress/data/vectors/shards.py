"""Models in several .safetensors files: an index says which file, a shard, has which tensor."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jaxcompress.data.vectors.matrices import choose_matrix
from jaxcompress.data.vectors.tensors import read_header
from jaxcompress.errors import InputError

_INDEX = ".safetensors.index.json"  # the end of its name
_MODEL = "model.safetensors"


class Place(NamedTuple):
    """Where vectors are: a file, and the name of the matrix in it if that is known."""

    file: Path
    tensor: str | None


def find_model(place: Path) -> Path | None:
    """Finds a model in a folder: its index of shards or its only file; None if there is none."""
    if not place.is_dir():
        return None
    whole, indices = place / _MODEL, sorted(place.glob(f"*{_INDEX}"))
    found = [file for file in (place / f"model{_INDEX}", whole) if file.exists()]
    return next(iter([*found, *indices]), None)


def find_shard(place: Path, tensor: str | None) -> Place:
    """Finds the file of a matrix, of a model in a folder or of an index; any file is left as it is.

    Args:
        place: a folder, an index of shards, or any other file.
        tensor: the name of the matrix; None: the only one.

    Raises:
        InputError: if there is no model in the folder, the index or a shard is damaged, or there is
            no such matrix.
    """
    file = find_model(place) or place
    if file.is_dir():
        raise InputError(
            f"{file} is a folder; expected a file, or a folder with {_MODEL} or model{_INDEX}."
        )
    if not file.name.endswith(_INDEX):
        return Place(file, tensor)
    shards = _read_index(file)
    if tensor in shards and not (file.parent / shards[tensor]).exists():
        raise InputError(
            f"{file}: {tensor} is in {shards[tensor]}, which is not beside it; fetch it too."
        )
    shapes = {}
    for shard in sorted(set(shards.values())):
        if (file.parent / shard).exists():
            tensors = read_header(file.parent / shard).tensors
            shapes.update({name: about.shape for name, about in tensors.items()})
    tensor = choose_matrix({n: s for n, s in shapes.items() if n in shards}, tensor, file)
    return Place(file.parent / shards[tensor], tensor)


def _read_index(file: Path) -> Mapping[str, str]:
    """Reads which shard has which tensor."""
    try:
        shards = json.loads(file.read_bytes())["weight_map"]
        if not all(Path(shard).name == shard for shard in shards.values()):
            raise ValueError("a shard is no name of a file")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, OSError) as error:
        raise InputError(
            f"{file}: not an index of shards ({type(error).__name__}: {error}); expected JSON with "
            "weight_map, the file of each tensor."
        ) from None
    return shards
