"""Matrices in files of arrays: .npy and .npz, plain or compressed; and which one of several.

What is plain is mapped, since tables are large; what is compressed is read into memory.

Axis letters: N rows, D dimensions.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxcompress.data.paths import is_plain, open_binary
from jaxcompress.data.vectors.tokens import fits
from jaxcompress.errors import InputError

_MOST_LISTED = 10  # matrices that an error lists


def read_npy(file: Path) -> np.ndarray:
    """Reads the array of an .npy file.

    Raises:
        InputError: if it is damaged, or holds anything but numbers.
    """
    try:
        if is_plain(file):
            return np.load(file, mmap_mode="r", allow_pickle=False)
        with open_binary(file) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except InputError:
        raise
    except Exception as error:  # a damaged header is parsed as Python, which can fail in many ways
        reason = str(error).partition("\n")[0]
        raise InputError(f"{file}: not a readable .npy file of numbers ({reason}).") from None


def read_npz(file: Path, name: str | None) -> np.ndarray:
    """Reads an array of an .npz file.

    Args:
        file: plain, or compressed once more.
        name: the name of the array; None: the only one, or the only matrix of numbers.

    Raises:
        InputError: if it is damaged, or there is no such array.
    """
    try:
        with open_binary(file) as stream, np.load(stream, allow_pickle=False) as arrays:
            if name is None and len(arrays.files) == 1:
                return arrays[arrays.files[0]]
            shapes = {key: _peek_shape(arrays, key) for key in arrays.files}
            return arrays[choose_matrix(shapes, name, file)]
    except InputError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{file}: not a readable .npz file of numbers ({reason}).") from None


def _peek_shape(arrays: np.lib.npyio.NpzFile, key: str) -> list[int]:
    """Reads the shape of an array of floats without its numbers; [] for any other array."""
    with arrays.zip.open(f"{key}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    return list(shape) if dtype.kind in "fV" else []


def choose_matrix(shapes: Mapping[str, Sequence[int]], name: str | None, file: Path) -> str:
    """Chooses the matrix of this name, or the only one.

    Args:
        shapes: of all arrays, by name.
        name: what was asked for; None: nothing.
        file: the file that they are in.

    Raises:
        InputError: if there is no such matrix, or no name among several; it lists those that there
            are, with their shapes, the likeliest first.
    """
    matrices = {key: list(shape) for key, shape in shapes.items() if len(shape) == 2}
    if name is None and len(matrices) == 1:
        return next(iter(matrices))
    if name is not None and name in matrices:
        return name
    likeliest = sorted(matrices, key=lambda key: (not _is_embedding(key), -matrices[key][0]))
    listed = ", ".join(f"{key} {matrices[key]}" for key in likeliest[:_MOST_LISTED]) or "none"
    if len(matrices) > _MOST_LISTED:
        listed += f" and {len(matrices) - _MOST_LISTED} more"
    reason = "no data.tensor given" if name is None else f"no matrix named {name!r}"
    raise InputError(f"{file}: {reason}; matrices in it: {listed}.")


def likely_table(shapes: Mapping[str, Sequence[int]], num_tokens: int | None) -> str | None:
    """Finds the matrix that is a model's table of tokens by name and shape; None: it is not clear.

    >>> likely_table({"wte": (100, 8), "wpe": (64, 8), "lm_head": (100, 8), "h": (8, 8)}, 100)
    'wte'
    >>> likely_table({"shared": (128, 8), "lm_head": (128, 8), "h": (8, 8)}, 100)
    'shared'

    Args:
        shapes: of all tensors, by name.
        num_tokens: how many tokens the model has; None: unknown.
    """
    likely = [
        name
        for name, shape in shapes.items()
        if len(shape) == 2 and (num_tokens is None or fits(num_tokens, shape[0]))
    ]
    named = [name for name in likely if _is_embedding(name)]
    if not named and num_tokens is not None:
        named = [name for name in likely if not re.search("head|decoder|output|bias", name, re.I)]
    return named[0] if len(named) == 1 else None


def _is_embedding(name: str) -> bool:
    """Tells whether a matrix is named as embeddings of tokens are, and not those of places."""
    return bool(re.search(r"emb|wte", name, re.I)) and not re.search(r"pos|type|wpe", name, re.I)
