"""The file of a table of anchors: its tensors and its metadata. NumPy only."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxcompress.storage.names import pack_names, unpack_names

FORMAT = "jaxcompress.anchors"  # says in a file what it holds
ANCHORS_FILE = "anchors.safetensors"  # its name in a run's export
_ARRAYS = ("counts", "indices", "values", "anchors")
_EXTRAS = "extras."  # what the names of further tensors begin with


def pack(
    arrays: Mapping[str, np.ndarray],
    words: Sequence[str] | None,
    parts: Mapping[str, tuple[int, int, int, int]],
    extras: Mapping[str, np.ndarray],
    metadata: Mapping[str, str],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Gives the tensors and the metadata of a file; the arguments are fields of `SparseAnchors`.

    Raises:
        InputError: if a word is not of one line.
    """
    tensors = {name: arrays[name] for name in _ARRAYS}
    tensors |= {_EXTRAS + name: value for name, value in extras.items()}
    if words is not None:
        tensors["names"] = pack_names(words)
    in_order = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    return in_order, {**metadata, "parts": json.dumps(parts)}


def unpack(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> dict[str, Any]:
    """Gives the fields of `SparseAnchors` of what `pack` gave, by name."""
    return {
        **{name: tensors[name] for name in _ARRAYS},
        "words": unpack_names(tensors["names"]) if "names" in tensors else None,
        "parts": {name: tuple(part) for name, part in json.loads(metadata["parts"]).items()},
        "extras": {
            name.removeprefix(_EXTRAS): value
            for name, value in tensors.items()
            if name.startswith(_EXTRAS)
        },
        "metadata": {name: text for name, text in metadata.items() if name != "parts"},
    }
