"""Tells in which format vectors are, by what stands at the start of a file and by its name.

What a file is compressed with does not count. Formats that are known but not read are named, each
with a way out of it.
"""

import codecs
import re
import zipfile
from pathlib import Path, PurePath

from jaxcompress.data.paths import inner_name, open_binary
from jaxcompress.data.vectors.fasttext import MAGIC as FASTTEXT
from jaxcompress.data.vectors.text import count_numbers, read_header
from jaxcompress.errors import InputError

_HEAD = 1 << 16  # bytes that are looked at
_UNPRINTED = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")  # control bytes that are no white space
_READ = {b"\x93NUMPY": "npy", FASTTEXT: "fasttext"}
_ZIP = b"PK\x03\x04"
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_TORCH = (
    "tensors that PyTorch saved",
    'In Python: numpy.save("vectors.npy", torch.load(FILE)[NAME].float().numpy())',
)
_GENSIM = (
    "vectors that gensim saved",
    "In Python: gensim.models.KeyedVectors.load(FILE)"
    '.save_word2vec_format("vectors.bin", binary=True)',
)
_MAGNITUDE = (
    "a .magnitude file, or another SQLite database",
    "Give the file that it was made from, or write its words and vectors as text.",
)
_TABLE = "Write its words and vectors as text, a row in each line."
_NOT_READ = (  # how a file begins, what it is, and the way out
    (rb"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19", *_TORCH),  # before PyTorch 1.6
    (rb"FiFu", "finalfusion", "Run: ffp-convert -f finalfusion -t word2vec FILE vectors.bin"),
    (rb"SQLite format 3\x00", *_MAGNITUDE),
    (rb"\x89HDF\r\n\x1a\n", "HDF5", 'In Python: numpy.save("vectors.npy", h5py.File(FILE)[NAME])'),
    (rb"PAR1", "Parquet", _TABLE),
    (rb"ARROW1", "Arrow", _TABLE),
    (rb"GGUF", "GGUF", "Give the .safetensors file of the same model."),
    (rb"version https://git-lfs", "a pointer of Git LFS", "Run: git lfs pull"),
    (rb"(?i)\s*<(!doctype )?html", "a web page", "Fetch the file itself."),
    (rb"(?s).{257}ustar", "a tar archive", "Unpack it first."),
)
_EXPECTED = "expected text, word2vec or fastText .bin, .npy, .npz or .safetensors"


def find_format(path: Path) -> str:
    """Tells the format of a file: text, word2vec, fasttext, npy, npz or safetensors.

    Raises:
        InputError: if it is in a known format that is not read, or cannot be read at all.
    """
    name = inner_name(path)
    ending = PurePath(name).suffix.lower()
    with open_binary(path) as stream:
        head = stream.read(_HEAD)
    for start, form in _READ.items():
        if head.startswith(start):
            return form
    if head.startswith(_ZIP):
        return _tell_zip(path)
    _refuse_others(path, head, ending)
    if ending in (".npy", ".npz", ".safetensors"):
        return ending[1:]
    if head[3:9] == b"\x00\x00\x00\x00\x00{":  # the length of a header, and the header
        return "safetensors"
    return "word2vec" if _is_word2vec(head, ending) else "text"


def _tell_zip(path: Path) -> str:
    """Tells what a zip archive is whose name does not end in .zip: .npz, or a file of PyTorch."""
    with open_binary(path) as stream, zipfile.ZipFile(stream) as bundle:
        names = bundle.namelist()
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if any(PurePath(name).name == "data.pkl" for name in names):
        raise _not_read(path, *_TORCH)
    raise _not_read(path, "a zip archive", "Name it .zip, or unpack it first.")


def _refuse_others(path: Path, head: bytes, ending: str) -> None:
    """Names a format that is known and not read."""
    for start, what, way_out in _NOT_READ:
        if re.match(start, head):
            raise _not_read(path, what, way_out)
    if ending == ".magnitude":
        raise _not_read(path, *_MAGNITUDE)
    if _PICKLE.match(head) and (b"gensim" in head or ending in (".kv", ".model")):
        raise _not_read(path, *_GENSIM)
    if _PICKLE.match(head):
        raise _not_read(path, "a pickle of Python", "Save the matrix with numpy.save.")


def _not_read(path: Path, what: str, way_out: str) -> InputError:
    return InputError(f"{path}: {what}; {_EXPECTED}. {way_out}")


def _is_word2vec(head: bytes, ending: str) -> bool:
    """Tells word2vec's binary form from text, whatever the file is named.

    If the first row ends in a number that is written out, or if all is printed text, it is text.
    """
    head = head.removeprefix(codecs.BOM_UTF8)
    lines = [line for line in re.split(rb"[\r\n]", head) if line.strip()]
    if not lines or _is_printed(head):
        return False
    if read_header(lines[0]) is None:
        return ending == ".bin"
    return len(lines) == 1 or not count_numbers(lines[1])


def _is_printed(head: bytes) -> bool:
    """Tells whether the start of a file is text in UTF-8; a character may be cut at its end."""
    if _UNPRINTED.search(head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
