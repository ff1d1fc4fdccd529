import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_tables import CODES, EVERY, IDS, LEARNED, ROWS, TABLES, WORDS, embed, gather

import jaxcompress
from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.codebook_types import fold, is_folded, round_codebooks
from jaxcompress.errors import InputError
from jaxcompress.tables import (
    anchor_table,
    dense_table,
    frozen_table,
    frozen_vectors,
    hashed_table,
    low_rank_table,
    trained_codebooks,
)
from jaxcompress.tables.hashed import hash_names


def products_along_axes(rows):
    """Products of rows that were scaled to a variance near 1 along their principal axes: these do
    not depend on the axes' signs."""
    centred = rows - rows.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    variances = values**2 / len(rows)
    turned = left * values / np.sqrt(variances + 0.1 * variances.mean())
    return turned @ turned.T


def test_frozen_tables_are_read_along_their_axes_and_unknown_words_are_zeros():
    for name, rows in (("frozen vectors", ROWS), ("frozen codes", CODES.decode())):
        table = TABLES[name]
        assert table.embedding.init(jax.random.key(0)) == {}
        found = np.asarray(embed(table, {}, EVERY))[0]
        np.testing.assert_allclose(
            found[:6] @ found[:6].T, products_along_axes(rows), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_array_equal(found[6], 0)
        np.testing.assert_allclose(np.asarray(embed(table, {}))[0, 1], found[3], rtol=1e-6)
    alike = np.ones((6, 5), np.float32)
    assert np.abs(embed(frozen_vectors(WORDS, alike), {}, EVERY)).max() < 1e-2


def test_half_precision_vectors_stay_so_on_the_device_and_are_read_as_float32():
    table = frozen_vectors(WORDS, ROWS.astype(np.float16))
    assert table.data.dtype == np.float16
    vectors = embed(table, {}, EVERY)
    assert vectors.dtype == jnp.float32
    np.testing.assert_allclose(
        vectors, embed(TABLES["frozen vectors"], {}, EVERY), rtol=0, atol=5e-3
    )


def test_a_frozen_table_is_stored_as_it_was_given():
    assert TABLES["frozen vectors"].to_artefact({}) is ROWS
    assert TABLES["frozen codes"].to_artefact({}) is CODES


def test_any_compressed_table_is_read_as_its_rows_are_and_stored_as_it_was_given():
    anchors = SparseAnchors.from_csr(np.eye(6), ROWS, words=WORDS)
    for given, same in ((anchors, TABLES["frozen vectors"]), (CODES, TABLES["frozen codes"])):
        table = frozen_table(given)
        assert table.to_artefact({}) is given
        assert list(table.words) == WORDS
        np.testing.assert_array_equal(embed(table, {}, EVERY), embed(same, {}, EVERY))


def test_trained_codebooks_start_as_those_of_the_codes_and_alone_are_trained():
    table = TABLES["trained codebooks"]
    params = table.embedding.init(jax.random.key(0))
    assert list(params) == ["codebooks"]
    start = np.asarray(embed(table, params, EVERY))[0]
    np.testing.assert_allclose(start, embed(TABLES["frozen codes"], {}, EVERY)[0], rtol=1e-5)
    gradient = jax.grad(lambda p: embed(table, p).sum())(params)["codebooks"]
    used = np.zeros((2, 3))
    for word in (0, 3, 5, 1, 2):
        for m in range(2):
            used[m, CODES.codes[word, m]] += 1
    np.testing.assert_allclose(gradient, used[..., None] * np.ones(5), rtol=1e-5)
    # What was learned is stored as codebooks of the table that was given: as if trained there.
    moved = {"codebooks": 2 * params["codebooks"][:, [1, 2, 0]]}
    artefact = table.to_artefact(jax.device_get(moved))
    np.testing.assert_array_equal(artefact.codes, CODES.codes)
    mean = CODES.decode().mean(axis=0)
    expected = 2 * CODES.codebooks[:, [1, 2, 0]]
    expected[0] -= mean  # the middle of what is read, 0, stays the mean
    np.testing.assert_allclose(artefact.codebooks, expected, rtol=1e-5, atol=1e-5)
    assert artefact.num_bytes() == CODES.num_bytes()


@pytest.mark.parametrize(("given", "stored"), [("float16", "float16"), ("int8", "float16")])
def test_trained_codebooks_are_stored_as_small_as_those_that_were_given(given, stored):
    codebooks = round_codebooks(fold(CODES.codebooks), given)
    codes = Codes(CODES.codes, codebooks, WORDS, codebook_type=given)
    table = trained_codebooks(codes)
    params = jax.device_get(table.embedding.init(jax.random.key(0)))
    artefact = table.to_artefact({"codebooks": 1.5 * params["codebooks"]})
    assert artefact.codebook_type == stored
    np.testing.assert_array_equal(artefact.codebooks, round_codebooks(artefact.codebooks, stored))
    assert is_folded(artefact.codebooks)


def test_trained_codebooks_are_stored_without_the_encoder_of_those_before():
    weights = {"kernel": np.ones((5, 2), np.float32)}
    table = trained_codebooks(Codes(CODES.codes, CODES.codebooks, WORDS, encoder=weights))
    artefact = table.to_artefact(jax.device_get(table.embedding.init(jax.random.key(0))))
    assert artefact.encoder is None
    np.testing.assert_allclose(artefact.codebooks, CODES.codebooks, rtol=1e-5, atol=1e-5)


def test_learned_tables_have_a_row_for_unknown_words():
    for name in LEARNED:
        table = TABLES[name]
        params = table.embedding.init(jax.random.key(0))
        rows = np.asarray(embed(table, params))
        assert rows.shape == (2, 4, 5)
        assert (rows[1, 1] != 0).any()
        np.testing.assert_array_equal(rows[1, 1], rows[1, 2])
    params = jax.device_get(TABLES["ant"].embedding.init(jax.random.key(0)))
    params["transform"] = np.where(np.arange(7)[:, None] == 2, 0.0, params["transform"])
    artefact = TABLES["ant"].to_artefact(params)
    np.testing.assert_allclose(artefact.to_csr().toarray(), params["transform"], rtol=1e-6)
    assert artefact.words[-1] == "<unk>"


@pytest.mark.parametrize("name", ["low rank", "hashed", "ant"])
def test_what_is_stored_of_a_learned_table_has_the_rows_that_the_model_read(name, tmp_path):
    table = TABLES[name]
    params = table.embedding.init(jax.random.key(0))
    rows = np.asarray(embed(table, params, EVERY))[0]
    artefact = table.to_artefact(jax.device_get(params))
    artefact.save(tmp_path / artefact.file_name)
    np.testing.assert_allclose(artefact.decode(), rows, rtol=1e-5, atol=1e-6)
    again = jaxcompress.load(tmp_path / artefact.file_name)
    assert type(again) is type(artefact)
    np.testing.assert_array_equal(again["<unk>"], artefact.decode(6))


def test_a_table_without_a_row_for_unknown_words_has_those_of_its_words_alone():
    for table in (
        anchor_table(WORDS, 3, 5, unknown=None), dense_table(WORDS, 5, unknown=None),
        low_rank_table(WORDS, 2, 5, unknown=None), hashed_table(WORDS, 6, 5, unknown=None),
    ):  # fmt: skip
        stored = table.to_artefact(jax.device_get(table.embedding.init(jax.random.key(0))))
        assert len(stored) == 6


def test_first_rows_have_the_deviation_that_is_asked_for():
    names = [str(i) for i in range(2000)]
    ids = jnp.arange(2000)[None]
    for table in (
        dense_table(names, 40, scale=0.3),
        low_rank_table(names, 9, 40, scale=0.3),
        hashed_table(names, 900, 40, num_hashes=3, scale=0.3),
    ):
        rows = embed(table, table.embedding.init(jax.random.key(0)), ids)
        np.testing.assert_allclose(np.std(rows), 0.3, rtol=0.1)


def test_words_are_hashed_evenly_and_alike_everywhere():
    codes = hash_names(["the", "cat", "é"], 1000, 2)
    assert codes.tolist() == [[790, 188], [939, 818], [963, 299]]
    found = hash_names([str(i) for i in range(20_000)], 10, 2)
    counts = np.bincount(10 * found[:, 0] + found[:, 1], minlength=100)
    assert abs(counts - 200).max() < 5 * np.sqrt(200)  # each pair of the two hashes
    with pytest.raises(InputError, match="140,000 rows for 2 hashes; there can be at most 65,536"):
        hashed_table(WORDS, 140_000, 5)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_keeps_the_protocol(name):
    """Tokens lead with [B, T], vectors are [B, T, D], and what is stored has a row a word."""
    table = TABLES[name]
    assert all(leaf.shape[:2] == IDS.shape for leaf in jax.tree.leaves(gather(table, IDS)))
    params = table.embedding.init(jax.random.key(0))
    assert embed(table, params).shape == (*IDS.shape, table.dim)
    num_rows = len(table.to_artefact(jax.device_get(params)))
    assert num_rows == len(table.words) + (name in LEARNED)
    assert table.embedding.non_negative == ("transform" in params)
