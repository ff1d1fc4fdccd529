"""Good files of every format, and what reads them."""

import gzip
import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save_file

import jaxcompress
from jaxcompress.data import read_corpus, read_labelled_text, read_ratings, read_vectors
from jaxcompress.data.vectors.weights import read_weights

_ROWS, _DIM = 40, 5


class Read(NamedTuple):
    """What a reader gave: how many rows, and whether it had a note about them."""

    num_rows: int
    has_notes: bool


class Subject(NamedTuple):
    """A good file and what reads it.

    Attributes:
        make: writes the file, and what it needs beside it, in a folder; returns its path.
        read: reads the file at a path.
        is_text: whether a row is a line.
        num_headers: lines that are no rows.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Read]
    is_text: bool = False
    num_headers: int = 0


def _rows() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(_ROWS, _DIM)).astype(np.float32)


def _words() -> list[str]:
    return [f"wörd{i}" if i % 7 == 0 else f"word{i}" for i in range(_ROWS)]


def _vector_lines() -> str:
    return "".join(
        f"{word} {' '.join(f'{x:.5f}' for x in row)}\n"
        for word, row in zip(_words(), _rows(), strict=True)
    )


def _writer(name: str, content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content())
        return folder / name

    return make


def _word2vec() -> bytes:
    rows = (w.encode() + b" " + r.tobytes() for w, r in zip(_words(), _rows(), strict=True))
    return f"{_ROWS} {_DIM}\n".encode() + b"".join(rows)


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _safetensors(folder: Path) -> Path:
    save_file({"embedding": _rows()}, folder / "model.safetensors")
    return folder / "model.safetensors"


def _codes(folder: Path) -> Path:
    rng = np.random.default_rng(2)
    codes = jaxcompress.Codes(
        rng.integers(0, 4, (_ROWS, 3)), rng.normal(size=(3, 4, _DIM)).astype(np.float32), _words()
    )
    codes.save(folder / "model.safetensors")
    codes.save_text(folder / "model")
    return folder / "model.safetensors"


def _anchors(folder: Path) -> Path:
    transform = np.eye(_ROWS, 6, dtype=np.float32)
    table = jaxcompress.SparseAnchors.from_csr(transform, np.ones((6, _DIM), np.float32))
    table.save(folder / "anchors.safetensors")
    return folder / "anchors.safetensors"


def _ratings(form: str, header: str = "") -> bytes:
    rng = np.random.default_rng(3)
    lines = (
        form.format(user=f"u{u}", item=f"i{i}", rating=rng.integers(1, 6), time=100 * u + i)
        for u, i in itertools.product(range(8), range(6))
    )
    return (header + "".join(line + "\n" for line in lines)).encode()


def _labelled() -> bytes:
    lines = (f"{1 + i % 2},a story of {i} ends, and the word {w}" for i, w in enumerate(_words()))
    return "".join(line.replace(", and", " and") + "\n" for line in lines).encode()


def _corpus(folder: Path) -> Path:
    for split in ("train", "valid", "test"):
        lines = (f"the {a} sees the {b}\n" for a, b in itertools.pairwise(_words()))
        (folder / f"{split}.txt").write_text("".join(lines))
    return folder / "train.txt"


def _read_vectors(path: Path) -> Read:
    vectors = read_vectors(str(path))
    return Read(len(vectors.rows), bool(vectors.notes))


def _read_weights(path: Path) -> Read:
    weights = read_weights(str(path), _ROWS, _words())
    return Read(len(weights.values), bool(weights.notes))


def _read_table(path: Path) -> Read:
    table = jaxcompress.load(path)
    table.decode([0])
    return Read(table.num_rows, False)


def _read_ratings(path: Path) -> Read:
    ratings = read_ratings(str(path))
    return Read(len(ratings), bool(ratings.notes))


def _read_labelled(path: Path) -> Read:
    texts = read_labelled_text(str(path), test=str(path))
    return Read(len(texts.labels["test"]), bool(texts.notes))


def _read_corpus(path: Path) -> Read:
    corpus = read_corpus(str(path.parent))
    return Read(len(corpus.words), bool(corpus.notes))


def _in_gzip(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def zipped(folder: Path) -> Path:
        path = make(folder)
        zipped = path.with_name(path.name + ".gz")
        zipped.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
        return zipped

    return zipped


_GLOVE = _writer("vectors.txt", lambda: _vector_lines().encode())
_FASTTEXT = _writer("vectors.vec", lambda: f"{_ROWS} {_DIM}\n{_vector_lines()}".encode())
_WORD2VEC = _writer("vectors.bin", _word2vec)
_NPY = _writer("vectors.npy", lambda: _npy(_rows()))
_CSV = _writer("ratings.csv", lambda: _ratings("{user},{item},{rating}", "user,item,rating\n"))
_TSV = _writer("u.data", lambda: _ratings("{user}\t{item}\t{rating}\t{time}"))
_DAT = _writer("ratings.dat", lambda: _ratings("{user}::{item}::{rating}::{time}"))
_COUNTS = _writer("counts.txt", lambda: "".join(f"{w} 3\n" for w in _words()).encode())

SUBJECTS: dict[str, Subject] = {
    "vectors .txt": Subject(_GLOVE, _read_vectors, is_text=True),
    "vectors .vec": Subject(_FASTTEXT, _read_vectors, is_text=True, num_headers=1),
    "vectors .bin": Subject(_WORD2VEC, _read_vectors),
    "vectors .npy": Subject(_NPY, _read_vectors),
    "vectors .safetensors": Subject(_safetensors, _read_vectors),
    "vectors .txt.gz": Subject(_in_gzip(_GLOVE), _read_vectors),
    "vectors .bin.gz": Subject(_in_gzip(_WORD2VEC), _read_vectors),
    "weights .txt": Subject(_COUNTS, _read_weights),
    "weights .npy": Subject(_writer("w.npy", lambda: _npy(np.ones(_ROWS))), _read_weights),
    "ratings .csv": Subject(_CSV, _read_ratings, is_text=True, num_headers=1),
    "ratings .data": Subject(_TSV, _read_ratings, is_text=True),
    "ratings .dat": Subject(_DAT, _read_ratings, is_text=True),
    "ratings .csv.gz": Subject(_in_gzip(_CSV), _read_ratings),
    "texts .csv": Subject(_writer("texts.csv", _labelled), _read_labelled, is_text=True),
    "corpus": Subject(_corpus, _read_corpus),
    "codes": Subject(_codes, _read_table),
    "codes as text": Subject(lambda f: _codes(f).with_name("model.codes"), _read_table),
    "anchors": Subject(_anchors, _read_table),
}
