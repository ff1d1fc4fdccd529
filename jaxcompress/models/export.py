"""A copy of a model's folder, in which the table is what codes decode to.

The copy is as large as the model, and any framework loads it: it shows what the codes cost a task.
All bytes but those of the table are the model's.

Axis letters: N rows, D dimensions.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.data.vectors.matrices import choose_matrix, likely_table
from jaxcompress.data.vectors.shards import Part, find_model, read_parts
from jaxcompress.data.vectors.tensors import DTYPES, read_header, read_safetensors
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_folder
from jaxcompress.storage.places import expand

_CHUNK = 4096  # rows decoded at a time
_OTHER_WEIGHTS = {".bin", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".pt", ".pth", ".tflite"}


class ExportedModel(NamedTuple):
    """What `export_model` wrote.

    Attributes:
        folder: where it is.
        tensors: the names of the matrices that are decoded: the table, and what is tied to it.
        notes: lines for the user about what was found.
    """

    folder: Path
    tensors: tuple[str, ...]
    notes: tuple[str, ...]


def export_model(
    folder: str | os.PathLike,
    codes: Codes,
    out: str | os.PathLike,
    *,
    tensor: str | None = None,
) -> ExportedModel:
    """Copies a model's folder, with the table that codes decode to in the place of its own.

    The table keeps its name and its type; all else is copied byte for byte, the index of shards
    too. A matrix that holds the same numbers as the table, as a tied output may, is replaced with
    it.

    Args:
        folder: with `model.safetensors`, or an index of shards and all of them.
        codes: of all rows of the table, in their order.
        out: the new folder, which must not be there.
        tensor: the name of the table; None: the only matrix of its shape, or the only one of these
            that is named as embeddings are.

    Raises:
        InputError: if there is no model, no matrix has the codes' shape, or `out` is there.
    """
    source, target = expand(folder), expand(out)
    index = find_model(source)
    if index is None:
        raise InputError(
            f"{source}: no model; expected a folder with model.safetensors, or with "
            "model.safetensors.index.json and its shards."
        )
    if source.resolve() in target.resolve().parents:
        raise InputError(f"{target} is inside of {source}, which is copied; name another folder.")
    parts = read_parts(index, tensor)
    name = _find_table(parts, codes, tensor, index)
    tied, notes = _find_tied(parts, name)
    notes += _warn_of_others(source)
    with atomic_folder(target) as partial:
        shutil.copytree(source, partial)
        for tensor in (name, *tied):
            _write_rows(partial / parts[tensor].file.relative_to(source), tensor, codes)
    return ExportedModel(target, (name, *tied), notes)


def _find_table(parts: Mapping[str, Part], codes: Codes, tensor: str | None, index: Path) -> str:
    shapes = {name: part.about.shape for name, part in parts.items()}
    fitting = {n: s for n, s in shapes.items() if s == (codes.num_rows, codes.dim)}
    if tensor is None and not fitting:
        raise InputError(
            f"{index}: no matrix is {[codes.num_rows, codes.dim]}, as the codes decode; expected "
            "codes of all rows of its table."
        )
    name = choose_matrix(
        shapes if tensor else fitting, tensor or likely_table(fitting, None), index
    )
    if name not in fitting:
        raise InputError(
            f"{index}: {name} is {list(shapes[name])}, and the codes decode to "
            f"{[codes.num_rows, codes.dim]}; expected codes of all of its rows."
        )
    if parts[name].about.dtype not in DTYPES:
        raise InputError(
            f"{index}: {name} is {parts[name].about.dtype}; expected one of {', '.join(DTYPES)}."
        )
    return name


def _find_tied(parts: Mapping[str, Part], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Finds matrices with the same numbers as the table; and notes on those of its shape alone."""
    like = (parts[name].about.dtype, parts[name].about.shape)
    tied, notes = [], []
    for other, part in parts.items():
        if other != name and (part.about.dtype, part.about.shape) == like:
            if _are_equal(parts[name].file, name, part.file, other):
                tied.append(other)
                notes.append(f"{other} holds the same numbers as {name}, and is replaced too.")
            else:
                notes.append(f"{other} has the shape of {name} and other numbers; it stays.")
    return tuple(tied), tuple(notes)


def _are_equal(file: Path, name: str, other_file: Path, other: str) -> bool:
    rows, others = read_safetensors(file, name), read_safetensors(other_file, other)
    starts = range(0, len(rows), _CHUNK)
    cut = lambda array, i: array[i : i + _CHUNK].tobytes()
    return all(cut(rows, i) == cut(others, i) for i in starts)


def _warn_of_others(source: Path) -> tuple[str, ...]:
    found = sorted(f.name for f in source.iterdir() if f.suffix in _OTHER_WEIGHTS)
    if not found:
        return ()
    return (f"{', '.join(found)}: copied as they are; if they hold the table, it is the old one.",)


def _write_rows(file: Path, name: str, codes: Codes) -> None:
    """Writes decoded rows over a matrix of a .safetensors file."""
    header = read_header(file)
    about = header.tensors[name]
    file.chmod(file.stat().st_mode | 0o200)  # what a cache holds may be read-only
    with open(file, "r+b") as stream:
        stream.seek(header.size + about.start)
        for start in range(0, codes.num_rows, _CHUNK):
            rows = codes.decode(range(start, min(start + _CHUNK, codes.num_rows)))
            with np.errstate(over="ignore"):
                rows = rows.astype(DTYPES[about.dtype])
            if not np.isfinite(rows.astype(np.float32)).all():
                raise InputError(f"{file.name}: {name} is {about.dtype}, which cannot hold a row.")
            stream.write(rows.tobytes())
