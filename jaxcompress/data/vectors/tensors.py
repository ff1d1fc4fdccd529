"""Matrices in .safetensors files, plain or compressed.

By hand, since the safetensors library copies a whole tensor, and tables are large. What is plain is
mapped, and what is compressed is read into memory.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxcompress.data.paths import is_plain, open_binary
from jaxcompress.data.vectors.matrices import choose_matrix
from jaxcompress.errors import InputError

DTYPES = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32, "F64": np.float64}
_LONGEST_HEADER = 100_000_000  # bytes, as the safetensors library limits it


class Tensor(NamedTuple):
    """What a header says about a tensor.

    Attributes:
        dtype: the name of its type.
        shape: its shape.
        start: the byte at which it starts, counted from the end of the header.
        end: the byte at which it ends.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Header(NamedTuple):
    """The header of a .safetensors file.

    Attributes:
        tensors: what there is, by name.
        metadata: what stands about the file.
        size: bytes of the header, after which the data start.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]
    size: int


def read_safetensors(file: Path, name: str | None) -> np.ndarray:
    """Reads one matrix of a .safetensors file.

    Args:
        file: plain or compressed.
        name: the name of the matrix; None: the only one.

    Raises:
        InputError: if it is damaged, or there is no such matrix.
    """
    tensors, _, size = read_header(file)
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    name = choose_matrix(shapes, name, file)
    dtype, shape, start, end = tensors[name]
    if dtype not in DTYPES:
        raise InputError(f"{file}: {name} is {dtype}; expected one of {', '.join(DTYPES)}.")
    expected = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
    if end - start != expected:
        raise InputError(
            f"{file}: damaged; {name} is {dtype} {list(shape)}, which takes {expected} bytes, and "
            f"its data_offsets span {end - start}."
        )
    return _read_bytes(file, size + start, size + end, name).view(DTYPES[dtype]).reshape(shape)


def _read_bytes(file: Path, start: int, end: int, name: str) -> np.ndarray:
    """Reads the bytes of a tensor, uint8 [bytes]."""
    if end == start:
        return np.zeros(0, np.uint8)
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


def read_header(path: str | os.PathLike) -> Header:
    """Reads the header of a .safetensors file: its length in 8 bytes, then JSON.

    Raises:
        InputError: if the file has no such header.
    """
    file = Path(path)
    with open_binary(file) as stream:
        try:
            length = int.from_bytes(stream.read(8), "little")
            text = stream.read(length) if length <= _LONGEST_HEADER else b""
            if not 0 < length == len(text):
                raise ValueError("the length of its header is invalid")
            entries = json.loads(text)
            if not isinstance(entries, dict):
                raise ValueError("its header is no JSON object")
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}: not a .safetensors file, or cut short ({error}).") from None
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise InputError(f"{file}: damaged; its __metadata__ is no JSON object.")
    tensors = {name: _parse_entry(file, name, entry) for name, entry in entries.items()}
    return Header(tensors, metadata, 8 + length)


def _parse_entry(file: Path, name: str, entry: Any) -> Tensor:
    """Parses what a header says about a tensor."""
    about = entry if isinstance(entry, dict) else {}
    dtype, shape, offsets = (about.get(key) for key in ("dtype", "shape", "data_offsets"))
    is_valid = (
        isinstance(dtype, str)
        and _are_counts(shape)
        and _are_counts(offsets)
        and len(offsets) == 2
        and offsets[0] <= offsets[1]
    )
    if not is_valid:
        raise InputError(
            f"{file}: damaged; its header says of {name!r} {json.dumps(entry)[:120]}; expected "
            "dtype, shape and data_offsets, which are the bytes where it starts and ends."
        )
    return Tensor(str(dtype), tuple(shape), *offsets)


def _are_counts(values: Any) -> bool:
    """Tells whether these are a list of whole numbers of at least 0."""
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
