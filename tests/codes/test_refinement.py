"""Local search, closed-form codebooks, and what is made of them: refine, encode, append."""

import dataclasses
import itertools
import signal
import subprocess
import time
from pathlib import Path

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcompress
from jaxcompress import Codes, InputError, dccl
from jaxcompress.codes import encode, refine
from jaxcompress.codes import rows as codes_rows
from jaxcompress.codes.least_squares import (
    normal_equations,
    refine_batch,
    relaxation_of,
    solve_codebooks,
)
from jaxcompress.codes.placed import place_codes
from jaxcompress.codes.precision import exact_products
from jaxcompress.codes.refine import FOLDER, refine_codes
from jaxcompress.codes.rows import make_table
from jaxcompress.codes.search import beam_search, improve_codes, squared_errors


def random_problem(seed=0, num_rows=300, dim=5):
    rng = np.random.default_rng(seed)
    rows = jnp.asarray(rng.normal(size=(num_rows, dim)), jnp.float32)
    codebooks = jnp.asarray(rng.normal(size=(4, 8, dim)) / 2, jnp.float32)
    codes = jnp.asarray(rng.integers(0, 8, (num_rows, 4)), jnp.uint8)
    return rows, codes, codebooks


def test_codebooks_of_least_squares_are_those_of_numpy():
    rows, codes, codebooks = random_problem()
    mask = jnp.arange(300) < 290
    solved = solve_codebooks(*normal_equations(rows, codes, mask, 8), codebooks)
    one_hot = np.eye(8)[np.asarray(codes)].reshape(300, 32)[:290]
    best = np.linalg.lstsq(one_hot, np.asarray(rows, np.float64)[:290], rcond=None)[0]
    expected = ((one_hot @ best - np.asarray(rows)[:290]) ** 2).sum()
    found = squared_errors(rows, codes, solved)[:290].sum()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_no_round_of_refinement_makes_any_row_worse():
    rows, codes, codebooks = random_problem()
    key = jax.random.key(0)
    before = squared_errors(rows, codes, codebooks)
    improved = improve_codes(key, rows, codes, codebooks, 20)
    after = squared_errors(rows, improved, codebooks)
    assert improved.dtype == codes.dtype
    assert (after <= before).all()
    assert after.sum() < 0.5 * before.sum()
    mask = jnp.ones(300, bool)
    solved = solve_codebooks(*normal_equations(rows, improved, mask, 8), codebooks)
    assert squared_errors(rows, improved, solved).sum() < after.sum()


@pytest.mark.parametrize("num_codewords", [5, 40])
def test_normal_equations_count_pairs_of_codewords_and_sum_rows(num_codewords):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 6)).astype(np.float32)
    codes = rng.integers(0, num_codewords, (200, 3))
    mask = np.arange(200) < 150
    counts, sums = normal_equations(
        jnp.asarray(rows), jnp.asarray(codes), jnp.asarray(mask), num_codewords
    )
    one_hot = np.eye(num_codewords)[codes[:150]].reshape(150, -1)
    np.testing.assert_allclose(counts, one_hot.T @ one_hot, atol=1e-5)
    np.testing.assert_allclose(sums, one_hot.T @ rows[:150], atol=1e-4)


def best_of_all(rows, codebooks):
    """The least squared error of each row over all its possible codes, by trying them."""
    num_codebooks, num_codewords, _ = codebooks.shape
    every = np.array(list(itertools.product(range(num_codewords), repeat=num_codebooks)))
    decoded = sum(np.asarray(codebooks, np.float64)[m, every[:, m]] for m in range(num_codebooks))
    return ((np.asarray(rows)[:, None] - decoded) ** 2).sum(axis=2).min(axis=1)


@pytest.mark.parametrize(
    ("num_codebooks", "num_codewords"),
    [(1, 5), (4, 6), *(pytest.param(*size, marks=pytest.mark.slow) for size in ((2, 2), (3, 10)))],
)
def test_search_finds_the_best_of_all_codes_of_nearly_every_row(num_codebooks, num_codewords):
    rng = np.random.default_rng(0)
    rows = jnp.asarray(rng.normal(size=(40, 6)), jnp.float32) + 3.0
    shape = (num_codebooks, num_codewords, 6)
    codebooks = jnp.asarray(rng.normal(size=shape) + 1.0, jnp.float32)
    codes = jnp.zeros((40, num_codebooks), jnp.uint8)
    for seed in range(10):
        codes = improve_codes(jax.random.key(seed), rows, codes, codebooks, 12)
    found = squared_errors(rows, codes, codebooks)
    best = best_of_all(rows, codebooks)
    assert (found > best - 1e-4).all()
    assert (found < best + 1e-4).mean() > 0.8
    assert found.mean() < 1.05 * best.mean()


@pytest.mark.parametrize("num_codewords", [8, 3000])  # 4 x 3000: too many products to hold
def test_no_row_gets_worse_by_a_search_and_most_get_better(num_codewords):
    rng = np.random.default_rng(1)
    rows = jnp.asarray(rng.normal(size=(100, 5)), jnp.float32)
    codebooks = jnp.asarray(rng.normal(size=(4, num_codewords, 5)) / 2, jnp.float32)
    codes = jnp.asarray(rng.integers(0, num_codewords, (100, 4)), jnp.uint16)
    before = squared_errors(rows, codes, codebooks)
    found = improve_codes(jax.random.key(0), rows, codes, codebooks, 12)
    after = squared_errors(rows, found, codebooks)
    assert found.dtype == codes.dtype
    assert (after <= before).all()
    assert after.sum() < 0.3 * before.sum()


def test_a_wide_beam_is_an_exact_search_and_a_beam_of_one_a_greedy_one():
    rng = np.random.default_rng(0)
    rows = jnp.asarray(rng.normal(size=(30, 4)), jnp.float32)
    codebooks = jnp.asarray(rng.normal(size=(3, 5, 4)) * [[[3.0]], [[1.0]], [[2.0]]], jnp.float32)
    exact = beam_search(rows, codebooks, beam=25)
    found = squared_errors(rows, exact, codebooks)
    np.testing.assert_allclose(found, best_of_all(rows, codebooks), rtol=1e-4)
    greedy = np.asarray(beam_search(rows, codebooks, beam=1))
    means = np.asarray(codebooks).mean(axis=1)
    residual = np.asarray(rows) - means.sum(axis=0)
    for m in (0, 2, 1):  # the widest first
        centered = np.asarray(codebooks)[m] - means[m]
        best = ((residual[:, None] - centered) ** 2).sum(axis=2).argmin(axis=1)
        np.testing.assert_array_equal(greedy[:, m], best)
        residual -= centered[best]


def test_going_twice_as_far_leaves_the_error_as_it_was():
    rows, codes, codebooks = random_problem()
    equations = normal_equations(rows, codes, jnp.ones(300), 8)
    before = squared_errors(rows, codes, codebooks).sum()
    least = solve_codebooks(*equations, codebooks, 1.0)
    beyond = solve_codebooks(*equations, codebooks, 2.0)
    np.testing.assert_allclose(beyond - least, least - codebooks, atol=1e-4)
    after = squared_errors(rows, codes, beyond).sum()
    np.testing.assert_allclose(after, before, rtol=1e-2)  # less by what the ridge holds back
    assert after <= before
    assert [relaxation_of(i, 4) for i in range(4)] == [2.0, 2.0, 1.0, 1.0]


def random_codes(num_rows=400, dim=6, seed=0, encoder=None):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(num_rows, 3)) @ rng.normal(size=(3, dim)) + 2.0
    codes = Codes(
        rng.integers(0, 8, (num_rows, 3)).astype(np.uint8),
        rng.normal(size=(3, 8, dim)).astype(np.float32),
        [f"w{i}" for i in range(num_rows)],
        encoder,
    )
    return codes, vectors.astype(np.float32)


def error(codes, vectors):
    return ((codes.decode() - vectors) ** 2).sum(axis=1).mean()


@pytest.fixture(scope="module")
def refined():
    """Codes that anything made, refined: and their vectors."""
    codes, vectors = random_codes()
    return jaxcompress.refine(codes, vectors, num_rounds=6), vectors


def test_any_codes_can_be_refined(refined):
    codes, vectors = refined
    assert error(codes, vectors) < 0.1 * vectors.var(axis=0).sum()
    assert codes.words[7] == "w7"
    np.testing.assert_allclose(
        float(codes.metadata["mean_squared_l2"]), error(codes, vectors), rtol=1e-5
    )


def test_weighted_rows_are_refined_for():
    codes, vectors = random_codes()
    heavy = np.arange(400) < 50
    plain, weighted = (
        jaxcompress.refine(codes, vectors, num_rounds=4, weights=weights)
        for weights in (None, np.where(heavy, 50.0, 1.0))
    )
    errors = [((c.decode() - vectors) ** 2).sum(axis=1)[heavy].mean() for c in (plain, weighted)]
    assert errors[1] < 0.7 * errors[0]


def test_rows_of_the_table_are_encoded_about_as_well_as_they_were_stored(refined):
    codes, vectors = refined
    found = dataclasses.replace(codes, codes=codes.encode(vectors))
    assert error(found, vectors) < 1.02 * error(codes, vectors)
    assert found.codes.dtype == np.uint8


def test_rows_of_a_table_that_codebooks_have_by_heart_are_found_again():
    """Half as many codewords as rows: what a search alone finds is far from what is stored."""
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(300, 20)).astype(np.float32)
    start = Codes(rng.integers(0, 40, (300, 4)), rng.normal(size=(4, 40, 20)).astype(np.float32))
    codes = jaxcompress.refine(start, vectors, num_rounds=6)
    alone = Codes(codes.codes[:0], codes.codebooks).encode(vectors, num_rounds=2)
    found = codes.encode(vectors, num_rounds=2)
    stored, by_search, by_both = (
        error(Codes(c, codes.codebooks), vectors) for c in (codes.codes, alone, found)
    )
    assert by_search > 1.1 * stored
    assert by_both <= 1.001 * stored


def test_a_row_is_the_nearest_of_a_table_of_several_parts():
    codes = Codes(
        np.arange(9000)[:, None],
        np.random.default_rng(5).normal(size=(1, 9000, 3)).astype(np.float32),
    )
    ids = np.array([0, 4095, 4096, 8191, 8192, 8999, 17])
    np.testing.assert_array_equal(codes.encode(codes.decode(ids), num_rounds=0)[:, 0], ids)


def test_large_codebooks_stay_and_that_is_said(caplog):
    rng = np.random.default_rng(6)
    codes = Codes(rng.integers(0, 300, (400, 28)), rng.normal(size=(28, 300, 4)).astype("f4"))
    vectors = rng.normal(size=(400, 4)).astype(np.float32)
    refined = jaxcompress.refine(codes, vectors, num_rounds=1)
    np.testing.assert_array_equal(refined.codebooks, codes.codebooks)
    assert error(refined, vectors) < error(codes, vectors)
    assert "the codebooks stay as they are" in caplog.text


def test_weights_of_a_refinement_may_be_named_as_those_of_compress():
    codes, vectors = random_codes()
    by_name = jaxcompress.refine(codes, vectors, num_rounds=2, weights="zipf")
    by_number = jaxcompress.refine(codes, vectors, num_rounds=2, weights=1 / np.arange(1, 401))
    np.testing.assert_array_equal(by_name.codebooks, by_number.codebooks)


def test_encoding_from_stored_codes_makes_no_row_worse(refined):
    codes, vectors = refined
    stored = ((codes.decode() - vectors) ** 2).sum(axis=1)
    found = Codes(codes.encode(vectors, start=codes.codes, num_rounds=2), codes.codebooks)
    after = ((found.decode() - vectors) ** 2).sum(axis=1)
    assert (after <= stored + 1e-6).all()


def test_an_encoder_gives_the_start_where_it_is_the_better_one():
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(12, 8, 6)).astype(np.float32)
    said = rng.integers(0, 8, 12).astype(np.uint8)  # what the encoder says of every row
    encoder = {
        "mean": np.zeros(6, np.float32),
        "scale": np.float32(1.0),
        "hidden.kernel": np.zeros((6, 2), np.float32),
        "hidden.bias": np.zeros(2, np.float32),
        "scores.kernel": np.zeros((2, 96), np.float32),
        "scores.bias": np.eye(8, dtype=np.float32)[said].reshape(-1),
    }
    table = Codes(np.zeros((0, 12), np.uint8), codebooks, encoder=encoder)
    rows = rng.normal(size=(1500, 6)).astype(np.float32)  # more than a batch
    rows[::2] = codebooks[np.arange(12), said].sum(axis=0)
    found = table.encode(rows, num_rounds=0)
    np.testing.assert_array_equal(found[::2], np.broadcast_to(said, (750, 12)))
    by_beam = dataclasses.replace(table, encoder=None).encode(rows, num_rounds=0)
    np.testing.assert_array_equal(found[1::2], by_beam[1::2])
    assert (by_beam[0] != said).any()


def test_appended_rows_are_there_and_it_is_said_how_much_worse_they_are(refined):
    codes, vectors = refined
    new = vectors[:40] + np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32)
    appended = codes.append([f"new{i}" for i in range(40)], new)
    table = appended.codes
    assert len(table) == 440
    assert len(codes) == 400
    np.testing.assert_array_equal(table["w3"], codes["w3"])
    squared = ((table.decode(np.arange(400, 440)) - new) ** 2).sum(axis=1)
    np.testing.assert_allclose(appended.mean_squared_l2, squared.mean(), rtol=1e-5)
    np.testing.assert_allclose(appended.ratio, squared.mean() / error(codes, vectors), rtol=1e-4)
    assert appended.ratio > 1
    everything = np.concatenate([vectors, new])
    np.testing.assert_allclose(
        float(table.metadata["mean_squared_l2"]), error(table, everything), rtol=1e-4
    )
    assert Codes(codes.codes, codes.codebooks).append(None, new).ratio is None


def test_what_does_not_fit_is_one_line(refined):
    codes, vectors = refined
    unnamed = Codes(codes.codes, codes.codebooks)
    wide = np.zeros((3, 7), np.float32)
    broken = vectors.copy()
    broken[5, 2] = np.nan
    for function, message in (
        (lambda: jaxcompress.refine(codes, vectors[:, :5]), r"shape \[400, 5\].*rows of 6"),
        (lambda: jaxcompress.refine(codes, vectors[:9]), "9 vectors and codes of 400 rows"),
        (lambda: jaxcompress.refine(codes, broken), "row 5 .* NaN or infinity"),
        (lambda: jaxcompress.refine(codes, vectors, num_rounds=-1), "num_rounds is -1"),
        (lambda: jaxcompress.refine(codes, vectors, weights=-np.ones(400)), "row 0 .* is -1"),
        (lambda: jaxcompress.refine(codes, vectors, weights=np.zeros(400)), "all rows are 0"),
        (
            lambda: jaxcompress.refine(Codes(codes.codes[:4], codes.codebooks), vectors[:4]),
            "4 rows are fewer than the 8 codewords",
        ),
        (lambda: codes.encode(wide), r"shape \[3, 7\]"),
        (lambda: codes.encode(vectors, start=codes.codes + 8), "each from 0 to 7"),
        (lambda: codes.encode(vectors, start=codes.codes[:9]), r"expected integers \[400, 3\]"),
        (lambda: codes.append(["w3"], vectors[:1]), "word 'w3' would name two rows"),
        (lambda: codes.append(["a", "a"], vectors[:2]), "word 'a' would name two rows"),
        (lambda: codes.append(["a"], vectors[:2]), "1 words and 2 rows"),
        (lambda: codes.append(None, vectors[:2]), "give a word for each row"),
        (lambda: codes.append([], vectors[:0]), "no rows; expected one or more to append"),
        (lambda: codes.append(["a\nb"], vectors[:1]), r"word 'a\\nb' contains a line break"),
        (lambda: codes.append(["a"], "many"), r"no matrix of numbers|shape \[\]"),
        (lambda: codes.encode([[1.0], [1.0, 2.0]]), "no matrix of numbers"),
        (lambda: codes.encode(vectors + 1j), "no matrix of numbers"),
        (lambda: codes.encode(vectors, num_rounds=-1), "num_rounds is -1"),
        (lambda: codes.encode(vectors, start=codes.codes * 1.0), "expected integers"),
        (lambda: jaxcompress.compress(vectors, 3, 8, words=["a"]), "1 words and 400 rows"),
        (lambda: unnamed.append(["a"], vectors[:1]), "give words=None"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            function()
        assert "\n" not in str(caught.value)


def test_the_codes_of_a_row_do_not_depend_on_its_place_or_on_other_rows(monkeypatch):
    monkeypatch.setattr(encode, "_CPU_BATCH", 64)
    rng = np.random.default_rng(1)
    codes = Codes(rng.integers(0, 16, (300, 8)), rng.normal(size=(8, 16, 6)).astype(np.float32))
    vectors = rng.normal(size=(200, 6)).astype(np.float32)
    found = codes.encode(vectors)
    np.testing.assert_array_equal(codes.encode(vectors[::-1])[::-1], found)
    for size in (1, 7, 100):
        parts = [codes.encode(vectors[i : i + size]) for i in range(0, 200, size)[:3]]
        np.testing.assert_array_equal(np.concatenate(parts), found[: 3 * size])


def test_all_numbers_of_rows_share_one_program():
    codes, vectors = random_codes()
    before = encode._encode_batch._cache_size()
    for num_rows in (1, 40, 300):
        codes.encode(vectors[:num_rows], num_rounds=1)
    assert encode._encode_batch._cache_size() == before + 1


def test_each_batch_of_a_round_is_searched_with_a_key_of_its_own(monkeypatch):
    monkeypatch.setattr(codes_rows, "_CPU_BATCH", 100)
    rows, codes, codebooks = random_problem()
    table, key = make_table(np.asarray(rows)), jax.random.key(7)
    placed = place_codes(table, Codes(codes, codebooks)).codes
    step, arguments = refine_batch(12), table.place((codebooks, key))
    found, _ = refine.search(table, step, placed, *arguments)
    for i in range(3):
        part = slice(100 * i, 100 * (i + 1))
        batch_key = jax.random.fold_in(key, i)
        improve = jax.jit(exact_products(improve_codes), static_argnums=4)
        expected = improve(batch_key, rows[part], codes[part], codebooks, 12)
        np.testing.assert_array_equal(found[part], expected)


def test_a_refinement_that_stopped_goes_on_in_its_round_and_ends_the_same(tmp_path, monkeypatch):
    codes, vectors = random_codes()
    table, config = make_table(vectors), dccl.RefineConfig(num_rounds=6)
    whole = refine_codes(table, codes, config).codes
    rounds, said = [], []
    search = refine.search

    def stops_in_round_4(*arguments):
        rounds.append(0)
        if len(rounds) == 4:
            raise KeyboardInterrupt
        return search(*arguments)

    monkeypatch.setattr(refine, "search", stops_in_round_4)
    with pytest.raises(KeyboardInterrupt):
        refine_codes(table, codes, config, workdir=tmp_path)
    again = refine_codes(table, codes, config, workdir=tmp_path, say=said.append)
    assert said == ["resumed from round 3 of 6 of refinement"]
    assert len(rounds) == 4 + 3
    np.testing.assert_array_equal(again.codes.codes, whole.codes)
    np.testing.assert_array_equal(again.codes.codebooks, whole.codebooks)


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_refines_ends_with_the_same_codes(table, tmp_path):
    more = ("--config.num_steps=20", "--config.refine.num_rounds=30")
    command = helpers.command(table, tmp_path / "killed", *more)
    process = subprocess.Popen(
        command,
        cwd=helpers.ROOT,
        env=helpers.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    folder = tmp_path / "killed" / FOLDER
    end = time.monotonic() + 200
    while time.monotonic() < end and process.poll() is None and not any(folder.glob("*/*05")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()
    process.stderr.close()
    resumed = helpers.run_here(command)
    assert resumed.returncode == 0, resumed.stderr
    assert "of 30 of refinement" in resumed.stdout
    assert not Path(folder).exists()
    whole = helpers.run_here(helpers.command(table, tmp_path / "whole", *more))
    assert whole.returncode == 0, whole.stderr
    one, other = (
        (tmp_path / name / "export" / "model.codes").read_bytes() for name in ("killed", "whole")
    )
    assert one == other
