"""Vectors in every format; what is wrong, in one line with file and line or row."""

import gzip
import zipfile

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from jaxcompress import InputError
from jaxcompress.data.vectors.files import read_vectors
from jaxcompress.storage.names import write_names

ROWS = np.array([[1.5, -2.0, 0.25], [0.0, 4.0, 1e-3]], np.float32)
PLAIN = b"king 1.5 -2 0.25\nqueen 0 4 1e-3\n"


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return str(path)


def check(vectors, words=("king", "queen")):
    np.testing.assert_array_equal(vectors.rows, ROWS)
    assert vectors.rows.dtype == np.float32
    assert vectors.words == list(words)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        b"2 3\n" + PLAIN,
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + PLAIN,
        b"\xef\xbb\xbf2 3\r" + PLAIN.replace(b"\n", b"\r"),
        PLAIN.replace(b"\n", b" \n"),
        PLAIN.replace(b" ", b"\t"),
        PLAIN.rstrip(b"\n"),
        PLAIN + b"\n\n",
    ],
    ids=[
        "glove",
        "header",
        "crlf",
        "cr",
        "mark",
        "mark, header and cr",
        "trailing space",
        "tabs",
        "no last newline",
        "blank end",
    ],
)
def test_text_in_every_dialect_gives_the_same_table(tmp_path, content):
    check(read_vectors(write(tmp_path, "v.txt", content)))


def test_gz_and_zip_are_read_in_place(tmp_path):
    check(read_vectors(write(tmp_path, "v.txt.gz", gzip.compress(PLAIN))))
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as bundle:
        bundle.writestr("v.txt", PLAIN)
    check(read_vectors(str(tmp_path / "one.zip")))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as bundle:
        bundle.writestr("a.txt", b"x 1\n")
        bundle.writestr("b.txt", PLAIN)
    check(read_vectors(str(tmp_path / "two.zip" / "b.txt")))
    with pytest.raises(InputError, match=r"two.zip: name one of its files.*a.txt, b.txt"):
        read_vectors(str(tmp_path / "two.zip"))


def test_tokens_with_spaces_keep_them(tmp_path):
    content = b". . 1 2 3\nat name@domain.com 4 5 6\n1 and 7 8 9\n"
    vectors = read_vectors(write(tmp_path, "v.txt", b"3 3\n" + content))
    assert vectors.words == [". .", "at name@domain.com", "1 and"]
    np.testing.assert_array_equal(vectors.rows, np.arange(1, 10, dtype=np.float32).reshape(3, 3))
    first_is_plain = read_vectors(write(tmp_path, "w.txt", b"a 0 0 0\n" + content))
    assert first_is_plain.words == ["a", ". .", "at name@domain.com", "1 and"]


def test_word2vec_binary_with_and_without_newlines(tmp_path):
    for end in (b"\n", b""):
        records = b"".join(
            word + b" " + row.tobytes() + end
            for word, row in zip((b"king", b"queen"), ROWS, strict=True)
        )
        name = f"v{len(end)}.bin"
        check(read_vectors(write(tmp_path, name, b"2 3\n" + records)))
    with pytest.raises(InputError, match="cut short in row 1"):
        read_vectors(write(tmp_path, "cut.bin", b"2 3\n" + records[:-1]))


def test_bytes_that_are_not_utf8_survive(tmp_path):
    vectors = read_vectors(write(tmp_path, "v.txt", b"caf\xe9 1 2\n"))
    write_names(tmp_path / "words.txt", vectors.words)
    assert (tmp_path / "words.txt").read_bytes() == b"caf\xe9\n"


def test_duplicates_the_first_wins_and_they_are_counted(tmp_path):
    vectors = read_vectors(write(tmp_path, "v.txt", PLAIN + b"king 9 9 9\nking 8 8 8\n"))
    check(vectors)
    assert vectors.notes == ("dropped duplicate words: 2; the first of each was kept.",)
    np.save(tmp_path / "v.npy", np.concatenate([ROWS, ROWS[:1] + 1]))
    write_names(tmp_path / "v.words.txt", ["king", "queen", "king"])
    vectors = read_vectors(str(tmp_path / "v.npy"))
    check(vectors)
    assert vectors.notes == ("dropped duplicate words: 1; the first of each was kept.",)


@pytest.mark.parametrize("names", [b"king\r\nqueen\r\n", b"\xef\xbb\xbfking\rqueen"])
def test_names_beside_an_npy_are_read_as_text_is(tmp_path, names):
    np.save(tmp_path / "v.npy", ROWS)
    write(tmp_path, "v.words.txt", names)
    check(read_vectors(str(tmp_path / "v.npy")))


def test_max_rows_reads_only_so_many(tmp_path):
    vectors = read_vectors(write(tmp_path, "v.txt", PLAIN), max_rows=1)
    np.testing.assert_array_equal(vectors.rows, ROWS[:1])
    np.save(tmp_path / "v.npy", ROWS)
    write_names(tmp_path / "v.words.txt", ["king", "queen"])
    assert read_vectors(str(tmp_path / "v.npy"), max_rows=1).words == ["king"]


def test_the_second_reading_comes_from_the_cache(tmp_path):
    path = write(tmp_path, "v.txt", PLAIN)
    check(read_vectors(path))
    cached = list((tmp_path / "cache" / "vectors").glob("*.npy"))
    assert len(cached) == 1
    np.save(cached[0], ROWS + 1)
    np.testing.assert_array_equal(read_vectors(path).rows, ROWS + 1)
    write(tmp_path, "v.txt", PLAIN + b"x 0 0 0\n")
    assert read_vectors(path).words == ["king", "queen", "x"]


def test_without_a_cache_the_text_is_read_all_the_same_and_the_user_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXCOMPRESS_CACHE", str(tmp_path / "file"))
    vectors = read_vectors(write(tmp_path, "v.txt", PLAIN))
    check(vectors)
    assert vectors.notes == (
        f"the cache {tmp_path}/file/vectors cannot be written; the text is parsed anew each time.",
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_npy_and_safetensors_of_every_float_type(tmp_path, dtype):
    rows = ROWS.astype(dtype)
    np.save(tmp_path / "v.npy", rows)
    vectors = read_vectors(str(tmp_path / "v.npy"))
    np.testing.assert_array_equal(vectors.rows.astype(np.float32), rows.astype(np.float32))
    assert vectors.words is None
    tensors = {"table": rows, "bias": np.zeros(3, np.float32), "other": rows}
    safetensors.numpy.save_file(tensors, tmp_path / "lm.safetensors")
    vectors = read_vectors(str(tmp_path / "lm.safetensors"), tensor="table")
    np.testing.assert_array_equal(vectors.rows.astype(np.float32), rows.astype(np.float32))
    with pytest.raises(InputError, match=r"no data.tensor given; matrices in it: .*table \[2, 3\]"):
        read_vectors(str(tmp_path / "lm.safetensors"))
    with pytest.raises(InputError, match="no matrix named 'bias'"):
        read_vectors(str(tmp_path / "lm.safetensors"), tensor="bias")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"king 1 2 3\nqueen 1 2\n",
            r"line 2: the number of columns is 3; expected a word and 3 numbers",
        ),
        (b"king 1 2 3\nqueen 1 2x 3\n", r"line 2: '2x' is not a number; .* a word and 3 numbers"),
        (b"king 1 2 3\n\nqueen 1 nan 3\n", r"line 3: NaN or infinity; expected 3 finite"),
        (b"king 1 2 3\nqueen 1 1e99 3\n", r"line 2: NaN or infinity"),
        (b"2 3\nking 1 2 3", r"line 2: the file is cut short in this line; its header says 2 rows"),
        (
            b"1 2\nking 1 2 3\n",
            r"line 2: the number of columns is 4; expected a word and 2 numbers",
        ),
        (
            b"king 1 2 3\nqueen 1 2 3 4\n",
            r"line 2: the number of columns is 5; expected a word and 3 numbers",
        ),
        (b"", r"holds no vectors"),
        ("\ufeffking 1 2 3\n".encode("utf-16-le"), r"bad.txt:1: begins with .* mark of UTF-16"),
        (b"\n\n", r"holds no vectors"),
        (b"hello\nworld\n", r"line 1: the number of columns is 1; expected a word and numbers"),
    ],
)
def test_bad_text_is_one_line_with_file_and_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_vectors(write(tmp_path, "bad.txt", content))
    assert "bad.txt" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.tmp"))
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_bad_files_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXCOMPRESS_DATA", str(tmp_path / "data"))
    with pytest.raises(InputError, match=r"looked at gone.txt, .*data/gone.txt, .*load glove.6B;"):
        read_vectors("gone.txt")
    np.save(tmp_path / "nan.npy", np.array([[1.0, 2.0], [3.0, np.nan]]))
    with pytest.raises(InputError, match=r"nan.npy: row 1 \(from 0\) holds NaN"):
        read_vectors(str(tmp_path / "nan.npy"))
    np.save(tmp_path / "int.npy", np.zeros((2, 2), np.int32))
    with pytest.raises(InputError, match="numbers are int32"):
        read_vectors(str(tmp_path / "int.npy"))
    np.save(tmp_path / "flat.npy", np.zeros(4, np.float32))
    with pytest.raises(InputError, match=r"shape is \[4\]; expected \[rows, dimensions\]"):
        read_vectors(str(tmp_path / "flat.npy"))
    write(tmp_path, "cut.npy", (tmp_path / "nan.npy").read_bytes()[:140])
    write(tmp_path, "bad.npy", b"nonsense")
    write(tmp_path, "bad.safetensors", b"nonsense")
    write(tmp_path, "bad.txt.gz", b"nonsense")
    for name in ("cut.npy", "bad.npy", "bad.safetensors", "bad.txt.gz"):
        with pytest.raises(InputError, match=name):
            read_vectors(str(tmp_path / name))
    np.save(tmp_path / "w.npy", ROWS)
    write_names(tmp_path / "w.words.txt", ["one"])
    with pytest.raises(InputError, match=r"w.words.txt: 1 words; expected 2"):
        read_vectors(str(tmp_path / "w.npy"))
    with pytest.raises(InputError, match="is a folder"):
        read_vectors(str(tmp_path))


def test_options_that_do_not_go_with_the_file_are_one_line(tmp_path):
    path = write(tmp_path, "v.txt", PLAIN)
    with pytest.raises(InputError, match=r"data\.max_rows is 0; it must be at least 1\."):
        read_vectors(path, max_rows=0)
    with pytest.raises(InputError, match=r"v\.txt: data\.tensor is 'wte'; it is for \.safetensors"):
        read_vectors(path, tensor="wte")


def test_real_files_have_the_shapes_they_are_known_to_have(real_data, monkeypatch):
    monkeypatch.setenv("JAXCOMPRESS_DATA", str(real_data))
    glove = read_vectors("vectors/glove.6B.100d.2604.txt")
    assert glove.rows.shape == (2604, 100)
    assert glove.words[:3] == ["the", ",", "."]
    np.testing.assert_allclose(glove.rows[0, :2], [-0.038194, -0.24487], rtol=1e-5)
    twitter = read_vectors("vectors/glove.twitter.27B.25d.11925.txt")
    assert twitter.rows.shape == (11925, 25)
    minilm = read_vectors("vectors/minilm-l6.384d.npy")
    assert minilm.rows.shape == (30522, 384)
    assert minilm.rows.dtype == np.float16
    assert len(minilm.words) == 30522
