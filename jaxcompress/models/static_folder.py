"""Folders of static models, as model2vec and `StaticEmbedding` of sentence-transformers write them.

There is a table, a row for each token; a tokenizer beside it; and, by program, how a text's vector
is made of its tokens' rows.

Axis letters: V tokens, D dimensions.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors

from jaxcompress.data.vectors.files import Vectors, read_vectors
from jaxcompress.data.vectors.shards import find_model, is_index, read_modules
from jaxcompress.data.vectors.tensors import read_header
from jaxcompress.data.vectors.tokens import TOKENIZER, name_rows, read_tokens
from jaxcompress.errors import InputError
from jaxcompress.storage.json_files import read_json
from jaxcompress.storage.places import expand

_MODEL2VEC, _SENTENCES = "embeddings", "embedding.weight"  # the table's name, by program
_MODEL2VEC_TOKENS = 512  # of a text, if the model does not say
_ADVICE = "fetch the model again"


class Settings(NamedTuple):
    """How a static model makes a vector of tokens.

    Attributes:
        normalize: whether vectors are brought to length 1.
        skip_unknown: whether tokens that the tokenizer does not know are left out of the mean.
        max_tokens: of a text, those after it are left out; None: none are.
    """

    normalize: bool = False
    skip_unknown: bool = False
    max_tokens: int | None = None


def read_static(folder: str | os.PathLike) -> Vectors:
    """Reads the table of a static model: a row for each token, named by it.

    Of a model whose tokens share rows and have weights, as model2vec's `vocabulary_quantization`
    makes them, each token's row is written out.

    Args:
        folder: of model2vec, or of sentence-transformers with a `StaticEmbedding`.

    Raises:
        InputError: if it is no such folder, or damaged.
    """
    file = table_file(expand(folder))
    names = read_header(file).tensors.keys()
    vectors = read_vectors(os.fspath(file), tensor=_table_name(names))
    rows, tokens = vectors.rows, read_tokens(file.with_name(TOKENIZER))
    with safetensors.safe_open(file, framework="numpy") as tensors:
        if "mapping" in names:
            rows = rows[tensors.get_tensor("mapping")]
        if "weights" in names:
            rows = rows * tensors.get_tensor("weights").astype(np.float32)[:, None]
    if len(rows) <= max(tokens):
        raise InputError(
            f"{file}: {len(rows):,} rows, and {TOKENIZER} has tokens up to {max(tokens):,}; "
            "expected a row for each."
        )
    return Vectors(rows, name_rows(tokens, len(rows)), vectors.notes, vectors.source)


def table_file(place: Path) -> Path:
    """Finds the file of the table of a static model, with its tokenizer beside it.

    Raises:
        InputError: if there is none.
    """
    file = find_model(place)
    if file is None or is_index(file) or not file.with_name(TOKENIZER).is_file():
        raise InputError(
            f"{place}: no static model; expected a folder of model2vec or of sentence-transformers "
            f"(StaticEmbedding), with model.safetensors and {TOKENIZER} beside it."
        )
    return file


def _table_name(names: Iterable[str]) -> str | None:
    """Chooses the table as the two programs name it; None: by another program."""
    return next((name for name in (_MODEL2VEC, _SENTENCES) if name in names), None)


def read_settings(place: Path, file: Path) -> Settings:
    """Reads how the program that wrote a static model's folder makes vectors of tokens."""
    if _MODEL2VEC in read_header(file).tensors:
        config = _json_beside(file, "config.json")
        longest = config.get("max_length", _MODEL2VEC_TOKENS)
        return Settings(bool(config.get("normalize")), True, longest)
    modules = read_modules(place)
    truncation = read_json(file.with_name(TOKENIZER), _ADVICE).get("truncation") or {}
    is_normalized = any(module.kind.endswith("Normalize") for module in modules)
    return Settings(is_normalized, False, truncation.get("max_length"))


def _json_beside(file: Path, name: str) -> dict[str, Any]:
    beside = file.with_name(name)
    return read_json(beside, _ADVICE) if beside.is_file() else {}


def unknown_id(file: Path) -> int | None:
    """Reads the id of the token that stands for unknown ones; None: there is none."""
    model = read_json(file, _ADVICE)["model"]
    ids = {token: i for i, token in read_tokens(file).items()}
    return model.get("unk_id", ids.get(model.get("unk_token")))
