import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import jaxcompress
from jaxcompress import Codes, InputError
from jaxcompress.codes.decode import sum_codewords
from jaxcompress.storage.bits import code_bits, pack_codes, unpack_codes


def make_codes(num_rows=50, num_codebooks=5, num_codewords=8, dim=7, words=True, seed=0):
    rng = np.random.default_rng(seed)
    return Codes(
        rng.integers(0, num_codewords, (num_rows, num_codebooks)),
        rng.normal(size=(num_codebooks, num_codewords, dim)).astype(np.float32),
        [f"word {i}" for i in range(num_rows)] if words else None,
        {"hidden.kernel": rng.normal(size=(dim, 3)).astype(np.float32)},
        {"source": "test"},
    )


def table_of(codes):
    return np.stack([sum(codes.codebooks[m, c] for m, c in enumerate(row)) for row in codes.codes])


@pytest.mark.parametrize("num_codewords", [2, 3, 4, 7, 8, 16, 17, 100, 255, 256, 257, 65_536])
def test_packing_is_exact_and_undone_by_unpacking(num_codewords):
    rng = np.random.default_rng(num_codewords)
    for num_codebooks in range(1, 65):
        codes = rng.integers(0, num_codewords, (10, num_codebooks))
        packed = pack_codes(codes, num_codewords)
        bits = int(np.ceil(np.log2(num_codewords)))
        assert code_bits(num_codewords) == bits
        assert packed.shape == (10, -(-num_codebooks * bits // 8))
        np.testing.assert_array_equal(unpack_codes(packed, num_codebooks, num_codewords), codes)


def test_four_bit_codes_are_two_a_byte_low_bits_first():
    np.testing.assert_array_equal(pack_codes(np.array([[1, 15, 2]]), 16), [[1 + 15 * 16, 2]])


@pytest.mark.parametrize(
    ("num_codebooks", "num_codewords"), [(5, 8), (4, 4), (1, 4), (3, 2), (2, 20), (3, 300)]
)
def test_lookup_and_decode_are_the_sum_of_codewords(num_codebooks, num_codewords):
    codes = make_codes(3000, num_codebooks, num_codewords)
    expected = table_of(codes)
    np.testing.assert_allclose(codes.decode(), expected, atol=1e-5)
    ids = np.random.default_rng(1).integers(0, 3000, 2000)
    for some in (ids, ids[:3], ids[:6].reshape(2, 3), 17):
        np.testing.assert_allclose(codes.lookup(some), expected[some], atol=1e-5)
    inside_jit = jax.jit(lambda i: 2 * codes.lookup(i))(jnp.asarray(ids))
    np.testing.assert_allclose(inside_jit, 2 * expected[ids], atol=1e-5)
    np.testing.assert_allclose(codes.lookup(ids), expected[ids], atol=1e-5)


def test_lookup_works_first_inside_a_jit():
    codes = make_codes()
    jax.jit(codes.lookup)(jnp.arange(3))
    np.testing.assert_allclose(codes.lookup([0, 1]), table_of(codes)[:2], atol=1e-5)


def test_the_gradient_reaches_the_codebooks():
    codes = make_codes(600, 4, 4)
    ids = jnp.asarray(codes.codes)
    gradient = jax.grad(lambda c: sum_codewords(c, ids).sum())(jnp.asarray(codes.codebooks))
    counts = np.stack([np.bincount(codes.codes[:, m], minlength=4) for m in range(4)])
    np.testing.assert_allclose(gradient, np.broadcast_to(counts[..., None], gradient.shape))


@pytest.mark.parametrize(("num_codebooks", "num_codewords"), [(2, 32), (8, 32), (16, 32), (32, 16)])
def test_a_sum_of_codewords_is_not_fused_into_what_reads_it(num_codebooks, num_codewords):
    """Which takes the loop in the compiled program: fused, a sum is computed for each reader."""
    codebooks = jnp.zeros((num_codebooks, num_codewords, 4))
    codes = jnp.zeros((600, num_codebooks), jnp.uint8)
    program = jax.jit(sum_codewords).lower(codebooks, codes).compile().as_text()
    assert " while(" in program


def test_sizes_are_those_of_the_files_contents(tmp_path):
    codes = make_codes(num_rows=100, num_codebooks=5, num_codewords=9, dim=7)
    assert codes.bits_per_row == 5 * 4
    assert codes.codes_bytes == 100 * 3
    assert codes.codebook_bytes == 4 * 5 * 9 * 7
    assert codes.num_bytes() == 300 + 1260
    assert codes.compression_ratio() == 4 * 100 * 7 / 1560
    codes.save(tmp_path / "a.safetensors")
    tensors = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    stored = [tensor for name, tensor in tensors.items() if name.startswith("code")]
    assert sum(tensor.nbytes for tensor in stored) == codes.num_bytes()
    assert tensors["codes"].shape == (100, 3)


def check_same(a, b):
    np.testing.assert_array_equal(a.codes, b.codes)
    np.testing.assert_array_equal(a.codebooks, b.codebooks)
    assert a.codes.dtype == b.codes.dtype
    assert (a.words is None) == (b.words is None)
    assert a.words is None or list(a.words) == list(b.words)


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("num_codewords", [8, 300])
def test_save_and_load_give_the_same_codes(tmp_path, words, num_codewords):
    codes = make_codes(num_codewords=num_codewords, words=words)
    codes.save(tmp_path / "a.safetensors")
    loaded = jaxcompress.load(tmp_path / "a.safetensors")
    check_same(codes, loaded)
    assert loaded.encoder is None
    assert loaded.metadata["source"] == "test"
    codes.save_text(tmp_path / "model", words=words)
    check_same(codes, jaxcompress.load(tmp_path / "model.codes"))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.safetensors", "model.codebook.npy", "model.codes"
    ]  # fmt: skip


def test_the_seeds_own_text_form_is_read_and_written(tmp_path):
    (tmp_path / "model.codes").write_text("man\t3 0 1\nking\t2 2 0\n")
    codebook = np.arange(12 * 2, dtype=np.float32).reshape(12, 2)
    np.save(tmp_path / "model.codebook.npy", codebook)
    codes = jaxcompress.load(tmp_path / "model.codes")
    np.testing.assert_array_equal(codes["king"], codebook[2] + codebook[4 + 2] + codebook[8])
    codes.save_text(tmp_path / "again")
    assert (tmp_path / "again.codes").read_text() == "man\t3 0 1\nking\t2 2 0\n"
    np.testing.assert_array_equal(np.load(tmp_path / "again.codebook.npy"), codebook)
    codes.save_text(tmp_path / "bare", words=False)
    assert (tmp_path / "bare.codes").read_text() == "3 0 1\n2 2 0\n"
    assert jaxcompress.load(tmp_path / "bare.codes").words is None


def test_nearest_and_analogy_are_by_cosine_of_the_decoded_table():
    codes = make_codes(num_rows=40)
    table = table_of(codes)
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    cosines = unit @ unit[7]
    order = [i for i in np.argsort(-cosines) if i != 7][:5]
    found = codes.nearest("word 7", 5)
    assert [word for word, _ in found] == [f"word {i}" for i in order]
    np.testing.assert_allclose([c for _, c in found], cosines[order], atol=1e-5)
    assert codes.nearest(table[7], 1)[0][0] == "word 7"
    assert len(codes.nearest("word 7", 1000)) == 39

    cosines = unit @ (unit[2] - unit[1] + unit[3])
    best = [i for i in np.argsort(-cosines) if i not in (1, 2, 3)][:3]
    found = codes.analogy("word 1", "word 2", "word 3", 3)
    assert [word for word, _ in found] == [f"word {i}" for i in best]


def test_words_and_rows_that_are_not_there():
    codes = make_codes()
    with pytest.raises(KeyError, match="no row is named 'prince'"):
        codes["prince"]
    assert "prince" not in codes
    assert "word 3" in codes
    for call in (codes.lookup, codes.decode):
        with pytest.raises(IndexError, match="ids are from 0 to 50; expected 0 to 49"):
            call([0, 50])
    unnamed = make_codes(words=False)
    np.testing.assert_array_equal(unnamed["12"], unnamed[12])
    with pytest.raises(KeyError, match="rows are 0 to 49"):
        unnamed["50"]
    assert unnamed.nearest(3, 1)[0][0].isdigit()


def test_what_is_not_an_artefact_is_one_line(tmp_path):
    codes = make_codes()
    codes.save(tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-10])
    (tmp_path / "damaged.safetensors").write_bytes(content[:-10] + bytes(10))
    safetensors.numpy.save_file({"x": np.zeros(3)}, tmp_path / "other.safetensors")
    codes.save_text(tmp_path / "m")
    lines = (tmp_path / "m.codes").read_text().splitlines()
    (tmp_path / "short.codes").write_text("\n".join([lines[0], "word\t1 2 3"]))
    (tmp_path / "lonely.codes").write_text("\n".join(lines))
    np.save(tmp_path / "short.codebook.npy", codes.codebooks.reshape(-1, 7))
    (tmp_path / "large.codes").write_text("a\t1 2 3 4 8\n")
    np.save(tmp_path / "large.codebook.npy", codes.codebooks.reshape(-1, 7))
    (tmp_path / "odd.codes").write_text("a\t1 2 3\n")
    np.save(tmp_path / "odd.codebook.npy", codes.codebooks.reshape(-1, 7))
    for name, text in {
        "huge": f"a\t1 2 3 4 {10**22 - 1}\n",
        "blank": "a\t1 2 3 4 5\n\nb\t1 2 3\n",
        "mixed": "a\t1 2 3 4 5\n1 2 3 4 5\n",
        "nan": "a\t1 2 3 4 5\n",
    }.items():
        (tmp_path / f"{name}.codes").write_text(text)
        broken = np.where(name == "nan", np.nan, codes.codebooks.reshape(-1, 7))
        np.save(tmp_path / f"{name}.codebook.npy", broken.astype(np.float32))
    for name, message in {
        "cut.safetensors": "not a .safetensors file, or cut short",
        "damaged.safetensors": "damaged; its hash differs",
        "other.safetensors": "holds no compressed table",
        "short.codes": "line 2: expected 5 codes, found '1 2 3'",
        "lonely.codes": "no lonely.codebook.npy beside it",
        "large.codes": "line 1: '1 2 3 4 8'; codes are from 0 to 7",
        "huge.codes": "line 1: '1 2 3 4 9999999999999999999999'; codes are from 0 to 7",
        "blank.codes": "line 3: expected 5 codes, found '1 2 3'",
        "mixed.codes": "line 2: a word and a tab are in some lines only",
        "nan.codes": r"float32 \[40, 7\]; expected finite numbers",
        "odd.codes": r"float32 \[40, 7\]; expected finite numbers \[M\*K, D\] with M = 3",
        "gone.safetensors": "no file or folder",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            jaxcompress.load(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no artefact in it"):
        jaxcompress.load(tmp_path)


def test_a_header_that_was_changed_is_damage(tmp_path):
    """The bytes of tensors are as they were; their shapes and the metadata are not."""
    make_codes(50, 4, 8, 10).save(tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    for old, new in ((b"[3,8,10]", b"[8,3,10]"), (b'"source":"test"', b'"source":"best"')):
        assert content.count(old) == 1
        (tmp_path / "b.safetensors").write_bytes(content.replace(old, new))
        with pytest.raises(InputError, match="damaged; its hash differs"):
            jaxcompress.load(tmp_path / "b.safetensors")


def test_codes_that_no_file_can_hold_are_refused():
    with pytest.raises(InputError, match="70,000 codewords; there can be at most 65,536"):
        Codes(np.array([[69_999]]), np.zeros((1, 70_000, 1), np.float32))
    with pytest.raises(InputError, match="'a\\\\nb' contains a line break"):
        Codes(np.array([[0], [1]]), np.zeros((1, 2, 1), np.float32), ["x", "a\nb"])
    with pytest.raises(InputError, match="word 7 has type int; expected a string"):
        Codes(np.array([[0], [1]]), np.zeros((1, 2, 1), np.float32), ["x", 7])


def test_of_rows_that_are_named_alike_the_first_is_taken():
    codes = Codes(np.array([[0], [1]]), np.array([[[1.0], [2.0]]], np.float32), ["x", "x"])
    assert codes["x"] == 1.0


def test_files_are_opened_and_decoded_without_jax(tmp_path):
    codes = make_codes()
    codes.save(tmp_path / "a.safetensors")
    program = (
        "import sys, jaxcompress\n"
        f"codes = jaxcompress.load({str(tmp_path / 'a.safetensors')!r})\n"
        "codes['word 3'], codes.decode([1, 2]), codes.nearest('word 3', 2), codes.num_bytes()\n"
        "assert 'jax' not in sys.modules and 'flax' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
