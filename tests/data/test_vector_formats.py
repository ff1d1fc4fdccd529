"""Formats behind compression, known by inner names or first bytes; and others, which are named."""

import bz2
import gzip
import io
import lzma
import pickle
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from jaxcompress import InputError
from jaxcompress.data.vectors.files import read_vectors
from jaxcompress.data.vectors.weights import read_weights
from jaxcompress.loading import read_table

ROWS = np.array([[1.5, -2.0, 0.25], [0.0, 4.0, 1e-3]], np.float32)


def saved(write, *arrays, **named):
    stream = io.BytesIO()
    write(stream, *arrays, **named)
    return stream.getvalue()


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(name.replace("__", "/").replace("_", "."), content)
    return stream.getvalue()


CONTENTS = {
    "v.txt": b"king 1.5 -2 0.25\nqueen 0 4 1e-3\n",
    "v.bin": b"2 3\nking " + ROWS[0].tobytes() + b"\nqueen " + ROWS[1].tobytes() + b"\n",
    "v.npy": saved(np.save, ROWS),
    "v.npz": saved(np.savez, ROWS),
    "v.safetensors": safetensors.numpy.save({"wte": ROWS, "bias": ROWS[0]}),
}
COMPRESSED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": lambda content: zipped(inner=content),
}


@pytest.mark.parametrize("ending", ["", *COMPRESSED])
@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("is_named", [True, False])
def test_compression_and_names_do_not_hide_a_format(tmp_path, name, ending, is_named):
    content = CONTENTS[name]
    if ending == ".zip":
        content = zipped(**{name.replace(".", "_") if is_named else "vectors": content})
    elif ending:
        content = COMPRESSED[ending](content)
    shown = f"{name}{ending}" if is_named else f"vectors{'.zip' if ending == '.zip' else ''}"
    (tmp_path / shown).write_bytes(content)
    vectors = read_vectors(str(tmp_path / shown))
    np.testing.assert_array_equal(vectors.rows, ROWS)
    assert vectors.words == (["king", "queen"] if name in ("v.txt", "v.bin") else None)
    assert read_vectors(str(tmp_path / shown), max_rows=1).rows.shape == (1, 3)


def test_compression_inside_of_a_zip_is_opened_too(tmp_path):
    (tmp_path / "a.zip").write_bytes(
        zipped(x_txt_gz=gzip.compress(CONTENTS["v.txt"]), y_npy=CONTENTS["v.npy"])
    )
    assert read_vectors(str(tmp_path / "a.zip" / "x.txt.gz")).words == ["king", "queen"]
    np.testing.assert_array_equal(read_vectors(str(tmp_path / "a.zip" / "y.npy")).rows, ROWS)


def test_what_macos_adds_to_a_zip_does_not_count(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as bundle:
        bundle.writestr("v.txt", CONTENTS["v.txt"])
        bundle.writestr("__MACOSX/._v.txt", b"\x00")
    assert read_vectors(str(tmp_path / "v.zip")).words == ["king", "queen"]


def test_names_lie_beside_compressed_arrays(tmp_path):
    (tmp_path / "v.npy.gz").write_bytes(gzip.compress(CONTENTS["v.npy"]))
    (tmp_path / "v.words.txt").write_text("king\nqueen\n")
    assert read_vectors(str(tmp_path / "v.npy.gz")).words == ["king", "queen"]
    (tmp_path / "a.zip").write_bytes(zipped(v_npy=CONTENTS["v.npy"], v_words_txt="a\nb\n"))
    assert read_vectors(str(tmp_path / "a.zip" / "v.npy")).words == ["a", "b"]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_one_of_several_arrays_is_named_by_tensor(tmp_path, ending):
    compress = gzip.compress if ending else bytes
    arrays = {"one": ROWS, "two": ROWS + 1, "labels": np.array(["x"]), "bias": ROWS[0]}
    (tmp_path / f"v.npz{ending}").write_bytes(compress(saved(np.savez_compressed, **arrays)))
    tensors = safetensors.numpy.save({"one": ROWS, "two": ROWS + 1, "bias": ROWS[0]})
    (tmp_path / f"v.safetensors{ending}").write_bytes(compress(tensors))
    for name in ("npz", "safetensors"):
        path = str(tmp_path / f"v.{name}{ending}")
        for read in (read_vectors, read_table):
            np.testing.assert_array_equal(read(path, tensor="two").rows, ROWS + 1)
        with pytest.raises(InputError, match=r"no data.tensor given; matrices in it: one \[2, 3\]"):
            read_vectors(path)
        with pytest.raises(InputError, match=r"no matrix named 'bias'; matrices"):
            read_vectors(path, tensor="bias")
    (tmp_path / "w.npz").write_bytes(saved(np.savez, table=ROWS, bias=ROWS[0], ids=np.arange(2)))
    np.testing.assert_array_equal(read_vectors(str(tmp_path / "w.npz")).rows, ROWS)


def test_weights_in_compressed_arrays_are_read(tmp_path):
    for name, compress in (("w.npy.gz", gzip.compress), ("w.npy.xz", lzma.compress)):
        (tmp_path / name).write_bytes(compress(saved(np.save, np.array([1.0, 3.0]))))
        np.testing.assert_array_equal(read_weights(str(tmp_path / name), 2, None).values, [1, 3])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.bin", zipped(archive__data_pkl="", archive__data__0=""), r"PyTorch .*numpy\.save\("),
        ("m.pt", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "tensors that PyTorch saved"),
        ("m.kv", b"\x80\x04\x95cgensim.models", r"gensim saved; .*save_word2vec_format"),
        ("m", b"\x80\x03cgensim.models.keyedvectors", "vectors that gensim saved"),
        ("m.pkl", pickle.dumps({}), "a pickle of Python; .*numpy.save"),
        ("m.fifu", b"FiFu\x00\x00", "finalfusion; .* ffp-convert -f finalfusion -t word2vec"),
        ("m.magnitude", b"SQLite format 3\x00", r"a \.magnitude file"),
        ("m.magnitude", b"\x04\x22\x4d\x18", "compressed with lz4"),
        ("m.magnitude", b"other", r"a \.magnitude file"),
        ("m.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("m.parquet", b"PAR1", "Parquet"),
        ("m.arrow", b"ARROW1", "Arrow"),
        ("m.gguf", b"GGUF", "GGUF"),
        (
            "m.txt",
            b"version https://git-lfs.github.com/spec/v1\noid",
            "a pointer of Git LFS; .*pull",
        ),
        ("m.txt", b"\n<!DOCTYPE html>\n<html>", "a web page"),
        ("m.txt", b"<HTML>", "a web page"),
        ("m.tar", bytes(257) + b"ustar", "a tar archive"),
        ("m.docx", zipped(word_xml=""), r"a zip archive; .*Name it \.zip"),
        ("m.zst", b"\x28\xb5\x2f\xfd", r"is compressed with zstd; .*Unpack it first"),
        ("m.7z", b"7z\xbc\xaf\x27\x1c", "is compressed with 7-Zip"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_formats_that_are_not_read_are_named_with_a_way_out(
    tmp_path, name, content, message, ending
):
    if ending and content[:4] in (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"):
        message = ""  # what is compressed twice is refused without its name
    (tmp_path / f"{name}{ending}").write_bytes(gzip.compress(content) if ending else content)
    with pytest.raises(InputError, match=rf"{name}{ending}.* ?{message}") as caught:
        read_vectors(str(tmp_path / f"{name}{ending}"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("ending", COMPRESSED)
def test_damage_is_one_line(tmp_path, name, ending):
    if ending == ".zip":
        content = zipped(**{name.replace(".", "_"): CONTENTS[name]})
    else:
        content = COMPRESSED[ending](CONTENTS[name])
    middle = content.find(b"PK", 4) - 4 if ending == ".zip" else len(content) // 2
    damaged = content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
    for broken in (content[:-9], damaged):
        (tmp_path / f"{name}{ending}").write_bytes(broken)
        with pytest.raises(InputError, match=rf"{name}{ending}") as caught:
            read_vectors(str(tmp_path / f"{name}{ending}"))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b'{"a": 1}',
        b'{"a": {}}',
        b'{"a": {"dtype": "F32", "shape": [2, 3]}}',
        b'{"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": "x", "data_offsets": [0, 24]}}',
        b'{"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}',
        b'{"a": {"dtype": "I64", "shape": [2, 3], "data_offsets": [0, 48]}}',
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_damaged_header_of_safetensors_is_one_line(tmp_path, header, ending):
    content = len(header).to_bytes(8, "little") + header + bytes(16)
    file = tmp_path / f"v.safetensors{ending}"
    file.write_bytes(gzip.compress(content) if ending else content)
    with pytest.raises(InputError, match=rf"v\.safetensors{ending}: ") as caught:
        read_vectors(str(file))
    assert "\n" not in str(caught.value)


def test_a_locked_zip_is_one_line(tmp_path):
    content = bytearray(zipped(v_txt=CONTENTS["v.txt"]))
    for place in (6, content.find(b"PK\x01\x02") + 8):  # the flag of encryption
        content[place] |= 1
    (tmp_path / "v.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"v\.zip: cannot be read .*encrypted.*unpack it first"):
        read_vectors(str(tmp_path / "v.zip"))
