"""`StaticModel`: vectors of texts as means of rows, of whose table only the codes are kept.

Axis letters: B texts, V tokens, D dimensions.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.files import CODES_FILE
from jaxcompress.data.vectors.tokens import TOKENIZER, read_tokens
from jaxcompress.errors import InputError
from jaxcompress.loading import load_codes
from jaxcompress.models.static_folder import Settings, read_settings, table_file, unknown_id
from jaxcompress.storage.atomic import atomic_folder
from jaxcompress.storage.json_files import read_json
from jaxcompress.storage.places import expand

_SETTINGS = "static.json"  # beside codes: how texts become vectors
_TEXTS = 256  # texts at a time
_MODULE = "sentence_transformers.models."


class StaticModel:
    """Vectors of texts, from codes: the mean of the decoded rows of a text's tokens.

    Attributes:
        codes: of the rows of all tokens, V x D.
        tokenizer_file: the `tokenizer.json`.
        settings: how a vector is made of tokens.

    Raises:
        InputError: if the extra `static` is not installed, or tokens have no row.
    """

    def __init__(
        self, codes: Codes, tokenizer_file: str | os.PathLike, settings: Settings | None = None
    ):
        self.codes, self.tokenizer_file = codes, expand(tokenizer_file)
        self.settings = settings = settings or Settings()
        tokens = read_tokens(self.tokenizer_file)
        if len(codes) <= max(tokens):
            raise InputError(
                f"{self.tokenizer_file}: tokens up to {max(tokens):,}, and the codes have "
                f"{len(codes):,} rows; expected codes of the table of this model."
            )
        self._tokenizer = _open_tokenizer(self.tokenizer_file, settings.max_tokens)
        self._unknown = unknown_id(self.tokenizer_file) if settings.skip_unknown else None

    @classmethod
    def from_folder(cls, folder: str | os.PathLike, codes: Codes) -> "StaticModel":
        """Takes tokenizer and settings from a static model's folder, as `read_static` reads it.

        Args:
            folder: of model2vec, or of sentence-transformers with a `StaticEmbedding`.
            codes: of the rows that `read_static` gives.

        Raises:
            InputError: if it is no such folder, or the codes are of another table.
        """
        place = expand(folder)
        file = table_file(place)
        return cls(codes, file.with_name(TOKENIZER), read_settings(place, file))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "StaticModel":
        """Opens what `save` wrote.

        Raises:
            InputError: if it is not there, or damaged.
        """
        place = expand(folder)
        if not (place / _SETTINGS).is_file():
            raise InputError(
                f"{place}: no {_SETTINGS}; expected a folder that StaticModel.save wrote."
            )
        values = read_json(place / _SETTINGS, "write the folder again by StaticModel.save")
        settings = Settings(
            normalize=bool(values.get("normalize")),
            skip_unknown=bool(values.get("skip_unknown")),
            max_tokens=values.get("max_tokens"),
        )
        return cls(load_codes(place / CODES_FILE), place / TOKENIZER, settings)

    def encode(self, texts: str | Sequence[str]) -> np.ndarray:
        """Makes vectors of texts: float32 [B, D], of one text [D]; 0 for a text without tokens."""
        if isinstance(texts, str):
            return self.encode([texts])[0]
        vectors = np.zeros((len(texts), self.codes.dim), np.float32)
        for start in range(0, len(texts), _TEXTS):
            part = list(texts[start : start + _TEXTS])
            found = self._tokenizer.encode_batch(part, add_special_tokens=False)
            ids = [[i for i in text.ids if i != self._unknown] for text in found]
            vectors[start : start + len(part)] = self._means(ids)
        if self.settings.normalize:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors /= np.where(lengths > 0, lengths, 1)
        return vectors

    def _means(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """Takes the mean of the rows of each text's tokens; each row is decoded once."""
        import scipy.sparse

        counts = np.array([len(text) for text in ids])
        flat = np.fromiter((i for text in ids for i in text), np.int64, counts.sum())
        own, places = np.unique(flat, return_inverse=True)
        starts = np.concatenate([[0], np.cumsum(counts)])
        shares = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
        means = scipy.sparse.csr_matrix((shares, places, starts), (len(ids), len(own)))
        return means @ self.codes.decode(own)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes a new folder: codes, tokenizer, settings. `StaticModel.load` opens it.

        Raises:
            InputError: if the folder is there.
        """
        with _new_folder(folder) as partial:
            self.codes.save(partial / CODES_FILE)
            (partial / _SETTINGS).write_text(json.dumps(self.settings._asdict(), indent=1))
            shutil.copyfile(self.tokenizer_file, partial / TOKENIZER)

    def export(self, folder: str | os.PathLike) -> None:
        """Writes a new folder with the decoded table, which both other programs open.

        `StaticModel.from_pretrained` of model2vec takes all settings from it;
        `SentenceTransformer` takes all but `skip_unknown` and `max_tokens`.

        Raises:
            InputError: if the folder is there.
        """
        own = self.settings
        config = {
            "model_type": "model2vec",
            "architectures": ["StaticModel"],
            "hidden_dim": self.codes.dim,
            "normalize": own.normalize,
            "max_length": own.max_tokens,
        }
        modules = [{"idx": 0, "name": "0", "path": ".", "type": f"{_MODULE}StaticEmbedding"}]
        if own.normalize:
            normalize = {
                "idx": 1,
                "name": "1",
                "path": "1_Normalize",
                "type": f"{_MODULE}Normalize",
            }
            modules.append(normalize)
        with _new_folder(folder) as partial:
            table = {"embeddings": self.codes.decode()}
            safetensors.numpy.save_file(table, partial / "model.safetensors")
            (partial / "config.json").write_text(json.dumps(config, indent=1))
            (partial / "modules.json").write_text(json.dumps(modules, indent=1))
            shutil.copyfile(self.tokenizer_file, partial / TOKENIZER)


@contextlib.contextmanager
def _new_folder(folder: str | os.PathLike) -> Iterator[Path]:
    with atomic_folder(expand(folder)) as partial:
        partial.mkdir()
        yield partial


def _open_tokenizer(file: Path, max_tokens: int | None) -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise InputError(
            f"tokenizers cannot be imported ({error}); install it: "
            'pip install "jaxcompress[static]"'
        ) from None
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower one
        raise InputError(f"{file}: the tokenizers library cannot open it ({error}).") from None
    tokenizer.no_padding()
    if max_tokens is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(max_tokens)
    return tokenizer
