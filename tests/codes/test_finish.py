"""Codes whose codebooks are what files hold: rounded, searched for again, measured so."""

import dataclasses

import numpy as np
import pytest

import jaxcompress
from jaxcompress import Codes, dccl
from jaxcompress.codes import finish
from jaxcompress.codes.codebook_types import is_folded, round_codebooks
from jaxcompress.codes.finish import store_as
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.rows import make_table


@pytest.fixture(scope="module")
def refined():
    """Float32 codes of 600 clustered rows, not folded, and their rows."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 12))[rng.integers(0, 20, 600)] + 0.3 * rng.normal(size=(600, 12))
    start = Codes(rng.integers(0, 8, (600, 4)), rng.normal(size=(4, 8, 12)).astype(np.float32))
    return jaxcompress.refine(start, rows, num_rounds=4), rows.astype(np.float32)


def squared(codes, rows):
    return np.square(codes.decode().astype(np.float64) - rows).sum(axis=1)


@pytest.mark.parametrize("codebook_type", ["float32", "float16", "int8", "int6"])
def test_what_is_stored_is_what_files_hold_and_no_row_is_worse_for_the_search(
    codebook_type, refined, tmp_path
):
    codes, rows = refined
    table = make_table(rows)
    plain = store_as(table, codes, codebook_type, num_rounds=0)
    found = store_as(table, codes, codebook_type)
    for stored in (plain, found):
        assert stored.codebook_type == codebook_type
        assert is_folded(stored.codebooks)
        stored.save(tmp_path / "a.safetensors")
        opened = jaxcompress.load(tmp_path / "a.safetensors")
        assert opened.codebooks.tobytes() == stored.codebooks.tobytes()
    np.testing.assert_array_equal(plain.codes, codes.codes)
    assert (squared(found, rows) <= squared(plain, rows) + 1e-5).all()
    assert squared(found, rows).sum() < squared(plain, rows).sum()
    ratio = squared(found, rows).mean() / squared(codes, rows).mean()
    assert ratio < {"float32": 1.0, "float16": 1.0001, "int8": 1.02, "int6": 1.2}[codebook_type]


def test_codebooks_stay_float32_where_float16_would_lose(refined):
    codes, rows = refined
    notes = []
    assert store_as(make_table(rows), codes, say=notes.append).codebook_type == "float16"
    assert not notes
    exact = codes.decode()  # whose error is that of rounding alone
    kept = store_as(make_table(exact), codes, say=notes.append)
    assert kept.codebook_type == "float32"
    assert is_folded(kept.codebooks)
    assert "as float16 the mean squared L2 would be" in notes[0]


def test_the_error_that_decides_is_weighted_if_rows_are(refined):
    """The heavy rows are exact in float32, and all others far from exact."""
    codes, rows = refined
    rows = rows.copy()
    rows[:300] = codes.decode(np.arange(300))
    weights = np.where(np.arange(600) < 300, 1.0, 1e-9).astype(np.float32)
    kinds = [
        store_as(make_table(rows, w), codes, num_rounds=0, say=[].append).codebook_type
        for w in (None, weights)
    ]
    assert kinds == ["float16", "float32"]


def test_numbers_that_float16_cannot_hold_stay_float32_with_a_note(refined, monkeypatch):
    codes, rows = refined

    def refuse(*arguments):
        raise jaxcompress.InputError("too large")

    monkeypatch.setattr(finish, "round_codebooks", refuse)
    notes = []
    stored = store_as(make_table(rows), codes, "int8", say=notes.append)
    assert stored.codebook_type == "float32"
    assert notes == ["note: codebooks are stored as float32, not as int8: too large"]


def test_codes_of_many_codewords_are_stored_too():
    rng = np.random.default_rng(6)
    codes = Codes(rng.integers(0, 300, (400, 28)), rng.normal(size=(28, 300, 4)).astype("f4"))
    rows = rng.normal(size=(400, 4)).astype(np.float32)
    stored = store_as(make_table(rows), codes, "int8")
    assert is_folded(stored.codebooks)
    assert squared(stored, rows).mean() < squared(codes, rows).mean()


def test_groups_and_units_are_kept(refined):
    codes, rows = refined
    groups = Groups(2, 2)
    codes = dataclasses.replace(
        codes, codebooks=groups.join(*groups.split(codes.codebooks)), groups=groups
    )
    stored = store_as(make_table(rows), codes, "int8")
    np.testing.assert_array_equal(groups.join(*groups.split(stored.codebooks)), stored.codebooks)
    assert stored.groups == groups
    large = dataclasses.replace(codes, codebooks=np.ldexp(codes.codebooks, 96))
    theirs = store_as(make_table(np.ldexp(rows, 96)), large, "int8")
    np.testing.assert_array_equal(theirs.codes, stored.codes)
    np.testing.assert_array_equal(theirs.codebooks, np.ldexp(stored.codebooks, 96))


def test_refine_keeps_type_and_form_and_is_never_worse(refined):
    codes, rows = refined
    table = make_table(rows)
    for kind in ("float32", "int8"):
        stored = store_as(table, codes, kind)
        again = jaxcompress.refine(stored, rows, num_rounds=3)
        assert again.num_bytes() == stored.num_bytes()
        assert again.codebook_type == kind
        np.testing.assert_array_equal(again.codebooks, round_codebooks(again.codebooks, kind))
        error = squared(again, rows).mean()
        assert error <= squared(stored, rows).mean()
        assert float(again.metadata["mean_squared_l2"]) == pytest.approx(error, rel=1e-5)


def test_compress_rounds_as_it_is_told_and_reports_the_error_of_that(refined):
    _, rows = refined
    config = dccl.Config(num_steps=40, refine=dccl.RefineConfig(num_rounds=3))
    sizes = {}
    for kind in ("float32", "float16", "int8"):
        codes = jaxcompress.compress(rows, 4, 8, config=config, codebook_type=kind)
        assert (codes.codebook_type, codes.encoder) == (kind, None)
        error = float(codes.metadata["mean_squared_l2"])
        assert error == pytest.approx(squared(codes, rows).mean(), rel=1e-5)
        sizes[kind] = codes.codebook_bytes
    assert sizes == {"float32": 4 * 29 * 12, "float16": 2 * 29 * 12, "int8": 2 * 8 * 12 + 21 * 14}
    config = dataclasses.replace(config, num_steps=2, codebook_type="int8")
    codes = jaxcompress.compress(rows, 4, 8, config=config, export_encoder=True)
    assert codes.codebook_type == "int8"
    assert set(codes.encoder) >= {"hidden.kernel", "mean"}
