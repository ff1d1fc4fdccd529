"""Models in .safetensors files: one, or several with an index that says which, a shard, has what.

The table among a model's matrices is the one that is named, or the only one that its name and its
number of rows make likely.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxcompress.data.vectors.formats import find_format
from jaxcompress.data.vectors.matrices import choose_matrix, likely_table
from jaxcompress.data.vectors.tensors import Tensor, read_header
from jaxcompress.data.vectors.tokens import TOKENIZER, fits, name_rows, read_tokens
from jaxcompress.errors import InputError

_INDEX = ".safetensors.index.json"  # the end of its name
_MODEL = "model.safetensors"


class Place(NamedTuple):
    """Where vectors are.

    Attributes:
        file: the file.
        tensor: the name of the matrix in it, if it is one of several.
        words: the names of its rows, if a tokenizer beside it has them.
        notes: lines for the user about what was found.
    """

    file: Path
    tensor: str | None
    words: list[str] | None = None
    notes: tuple[str, ...] = ()


class Part(NamedTuple):
    """A tensor of a model: the file that it is in, and what the header there says about it."""

    file: Path
    about: Tensor


class Module(NamedTuple):
    """A part of a model of sentence-transformers: its class, and its folder in the model's."""

    kind: str
    path: str


def find_model(place: Path) -> Path | None:
    """Finds a model in a folder: its index of shards or its only file; None if there is none.

    A model of sentence-transformers may be in the folder of one of its modules.
    """
    if not place.is_dir():
        return None
    for folder in (place, *(place / module.path for module in read_modules(place))):
        whole, indices = folder / _MODEL, sorted(folder.glob(f"*{_INDEX}"))
        for file in (folder / f"model{_INDEX}", whole, *indices):
            if file.exists():
                return file
    return None


def read_modules(place: Path) -> list[Module]:
    """Reads the modules of a model of sentence-transformers; of another model there are none.

    Raises:
        InputError: if their file is damaged.
    """
    file = place / "modules.json"
    if not file.is_file():
        return []
    try:
        found = [Module(str(m["type"]), str(m["path"])) for m in json.loads(file.read_bytes())]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise InputError(
            f"{file}: no list of modules ({type(error).__name__}: {error}); fetch it again."
        ) from None
    return [module for module in found if not {"..", "/"} & set(Path(module.path).parts)]


def find_vectors(place: Path, tensor: str | None) -> Place:
    """Finds the file of a matrix, of a model in a folder or of an index; and its rows' names.

    Args:
        place: a folder, an index of shards, a .safetensors file; any other is left as it is.
        tensor: the name of the matrix; None: the only one, or the only likely one.

    Raises:
        InputError: if there is no model in the folder, the index or a shard is damaged, or there is
            no such matrix, or, without a name, the file is a compressed table.
    """
    file = find_model(place) or place
    if file.is_dir():
        raise InputError(
            f"{file} is a folder; expected a file, or a folder with {_MODEL} or model{_INDEX}."
        )
    if not (is_index(file) or find_format(file) == "safetensors"):
        return Place(file, tensor)
    if tensor is None and not is_index(file):
        _refuse_compressed(file)
    parts = read_parts(file, tensor)
    shapes = {name: part.about.shape for name, part in parts.items()}
    tokens, notes = _tokens_beside(file)
    num_tokens = 1 + max(tokens) if tokens else _vocabulary_size(file.with_name("config.json"))
    name = tensor or likely_table(shapes, num_tokens)
    name = choose_matrix(shapes, name, file)
    if tensor is None and sum(len(shape) == 2 for shape in shapes.values()) > 1:
        why = "name" if num_tokens is None else "name and shape"
        notes += (f"took {name} {list(shapes[name])} by its {why}; data.tensor takes another.",)
    words = None
    if tokens and fits(1 + max(tokens), shapes[name][0]):
        words = name_rows(tokens, shapes[name][0])
        notes += (f"rows are named by the {len(tokens):,} tokens of {TOKENIZER}.",)
    return Place(parts[name].file, name, words, notes)


def _refuse_compressed(file: Path) -> None:
    """Refuses a table of codes or anchors: the matrices in it are not its rows."""
    if str(read_header(file).metadata.get("format")).startswith("jaxcompress."):
        raise InputError(
            f"{file}: holds a compressed table; expected vectors. jaxcompress.load opens it, and "
            f"jaxcompress convert {file} --to npy writes its rows."
        )


def read_parts(file: Path, tensor: str | None = None) -> dict[str, Part]:
    """Reads the headers of a model: all tensors that it has, and where they are.

    Args:
        file: a .safetensors file, or an index of shards, of which some may not be there.
        tensor: one whose shard must be there.

    Raises:
        InputError: if the index or a shard is damaged, or that shard is not there.
    """
    if not is_index(file):
        return {name: Part(file, about) for name, about in read_header(file).tensors.items()}
    shards = _read_index(file)
    if tensor in shards and not (file.parent / shards[tensor]).exists():
        raise InputError(
            f"{file}: {tensor} is in {shards[tensor]}, which is not beside it; fetch it too."
        )
    parts = {}
    for shard in sorted({file.parent / shard for shard in shards.values()}):
        if shard.exists():
            tensors = read_header(shard).tensors
            parts.update({n: Part(shard, about) for n, about in tensors.items() if n in shards})
    return parts


def is_index(file: Path) -> bool:
    """Tells an index of shards by its name."""
    return file.name.endswith(_INDEX)


def _tokens_beside(file: Path) -> tuple[dict[int, str], tuple[str, ...]]:
    """Reads the tokens beside a model, if there are any; and notes."""
    beside = file.with_name(TOKENIZER)
    if not beside.is_file():
        return {}, ()
    try:
        return read_tokens(beside), ()
    except InputError as error:  # some other tokenizer's file
        return {}, (f"{error} Rows have no names.",)


def _vocabulary_size(config: Path) -> int | None:
    """Reads how many tokens a model has from its `config.json`; None: it does not say."""
    try:
        size: Any = json.loads(config.read_bytes())["vocab_size"]
    except (ValueError, RecursionError, TypeError, KeyError, OSError):
        return None
    return size if type(size) is int and size > 0 else None


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
