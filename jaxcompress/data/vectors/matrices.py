"""Matrices in files of arrays: .npy, .npz and .safetensors, plain or compressed.

What is plain is mapped, since tables are large; what is compressed is read into memory.

Axis letters: N rows, D dimensions.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from jaxcompress.data.paths import is_plain, open_binary
from jaxcompress.errors import InputError

_DTYPES = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32, "F64": np.float64}
_LONGEST_HEADER = 100_000_000  # bytes, as the safetensors library limits it


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
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{file}: not a readable .npy file of numbers ({error}).") from None


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
            return arrays[_choose(shapes, name, file)]
    except (ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: not a readable .npz file of numbers ({error}).") from None


def _peek_shape(arrays: np.lib.npyio.NpzFile, key: str) -> list[int]:
    """Reads the shape of an array of floats without its numbers; [] for any other array."""
    with arrays.zip.open(f"{key}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    return list(shape) if dtype.kind in "fV" else []


def read_safetensors(file: Path, name: str | None) -> np.ndarray:
    """Reads one matrix of a .safetensors file.

    By hand, since the safetensors library copies a whole tensor, and tables are large.

    Args:
        file: plain or compressed.
        name: the name of the matrix; None: the only one.

    Raises:
        InputError: if it is damaged, or there is no such matrix.
    """
    header, data = read_header(file)
    try:
        shapes = {key: about["shape"] for key, about in header.items() if key != "__metadata__"}
        name = _choose(shapes, name, file)
        shape, dtype = shapes[name], header[name]["dtype"]
        start, end = header[name]["data_offsets"]
        if dtype not in _DTYPES:
            raise InputError(f"{file}: {name} is {dtype}; expected one of {', '.join(_DTYPES)}.")
        if end - start != math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
            raise ValueError(f"{name} has {end - start} bytes")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: its header is damaged ({error!r}).") from None
    return _read_bytes(file, data + start, data + end, name).view(_DTYPES[dtype]).reshape(shape)


def _read_bytes(file: Path, start: int, end: int, name: str) -> np.ndarray:
    """Reads the bytes of a tensor, uint8 [bytes]."""
    if is_plain(file):
        if end <= os.path.getsize(file):
            return np.memmap(file, np.uint8, "r", offset=start, shape=(end - start,))
    else:
        with open_binary(file) as stream:
            stream.read(start)
            raw = stream.read(end - start)
        if len(raw) == end - start:
            return np.frombuffer(raw, np.uint8)
    raise InputError(f"{file}: cut short; {name} should end at byte {end}.")


def read_header(path: str | os.PathLike) -> tuple[dict[str, Any], int]:
    """Reads the header of a .safetensors file: its length in 8 bytes, then JSON.

    Returns:
        What stands about each tensor, and about the file by the name "__metadata__"; and the byte
        at which the data start.

    Raises:
        InputError: if the file has no such header.
    """
    with open_binary(Path(path)) as stream:
        try:
            length = int.from_bytes(stream.read(8), "little")
            text = stream.read(length) if length <= _LONGEST_HEADER else b""
            if not 0 < length == len(text):
                raise ValueError("the length of its header is invalid")
            header = json.loads(text)
            if not isinstance(header, dict):
                raise ValueError("its header names no tensors")
            return header, 8 + length
        except ValueError as error:
            raise InputError(f"{path}: not a .safetensors file, or cut short ({error}).") from None


def _choose(shapes: Mapping[str, Sequence[int]], name: str | None, file: Path) -> str:
    """Chooses the matrix of this name, or the only one."""
    matrices = {key: list(shape) for key, shape in shapes.items() if len(shape) == 2}
    if name is None and len(matrices) == 1:
        return next(iter(matrices))
    if name not in matrices:
        listed = ", ".join(f"{key} {shape}" for key, shape in matrices.items()) or "none"
        reason = "no data.tensor given" if name is None else f"no matrix named {name!r}"
        raise InputError(f"{file}: {reason}; matrices in it: {listed}.")
    return name
