"""Row weights in training, evaluation, refinement and the main."""

import functools
import hashlib
import itertools
import json

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcompress
import train.dccl
from jaxcompress import Codes, InputError, dccl
from jaxcompress.codes.least_squares import (
    fit_codebooks,
    normal_equations,
    refine_batch,
    relaxation_of,
    solve_codebooks,
)
from jaxcompress.codes.measure import code_errors, error_metrics, error_sums
from jaxcompress.codes.placed import place_codes
from jaxcompress.codes.refine import refine_codes, search
from jaxcompress.codes.rows import make_table
from jaxcompress.dccl import prepare as dccl_prepare
from jaxcompress.dccl import task as dccl_task
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.prepare import prepare
from jaxcompress.dccl.run import run
from jaxcompress.dccl.task import make_task, row_statistics
from jaxcompress.engine.loop import evaluate, init_state
from jaxcompress.engine.workdir import fingerprint


def random_table(seed=0, num_rows=300, dim=6):
    """Rows, and weights that are not related to them; some are 0."""
    rng = np.random.default_rng(seed)
    rows = (1.0 + 2.0 * rng.normal(size=(num_rows, dim))).astype(np.float32)
    weights = np.exp(2.0 * rng.normal(size=num_rows)).astype(np.float32)
    weights[::10] = 0.0
    return rows, weights / weights.mean()


def small_task(rows):
    config = dccl.ModelConfig(num_codebooks=4, num_codewords=8, final_temperature=None)
    task = make_task(config, row_statistics(rows, np.arange(len(rows))), num_steps=10)
    return task, *jax.jit(task.init)(jax.random.key(0))


def batch_of(rows, weights=None):
    batch = {"rows": jnp.asarray(rows), "mask": jnp.ones(len(rows), bool)}
    return batch if weights is None else {**batch, "weights": jnp.asarray(weights)}


def loss_and_gradients(task, params, aux, batch):
    def loss(params):
        return task.loss(params, aux, (), batch, jnp.int32(0), jax.random.key(1))[0]

    return jax.jit(jax.value_and_grad(loss))(params)


def assert_close(found, expected, rtol):
    """Compares trees of arrays, each to `rtol` of its largest entry."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * float(np.abs(b).max()))


def test_weights_of_2_and_3_are_rows_that_come_2_and_3_times(monkeypatch):
    monkeypatch.setattr(dccl_task, "exponential_noise", lambda key, shape: jnp.ones(shape))
    rows, _ = random_table(num_rows=24)
    times = np.arange(24) % 4
    weights = (times / times.mean()).astype(np.float32)
    task, params, aux = small_task(rows)
    weighted = loss_and_gradients(task, params, aux, batch_of(rows, weights))
    repeated = loss_and_gradients(task, params, aux, batch_of(np.repeat(rows, times, axis=0)))
    plain = loss_and_gradients(task, params, aux, batch_of(rows))
    assert_close(weighted, repeated, 1e-5)
    assert abs(weighted[0] - plain[0]) > 1e-3 * plain[0]


def test_the_loss_is_the_mean_of_weight_times_half_the_squared_error(monkeypatch):
    monkeypatch.setattr(dccl_task, "exponential_noise", lambda key, shape: jnp.ones(shape))
    rows, weights = random_table(num_rows=20)
    task, params, aux = small_task(rows)
    value, gradients = loss_and_gradients(task, params, aux, batch_of(rows, weights))
    x = (rows - np.asarray(aux["mean"], np.float64)) / float(aux["scale"])
    layers = jax.tree.map(lambda p: np.asarray(p, np.float64), params["encoder"])
    hidden = np.tanh(x @ layers["hidden"]["kernel"] + layers["hidden"]["bias"])
    alpha = np.log1p(np.exp(hidden @ layers["scores"]["kernel"] + layers["scores"]["bias"]))
    d = alpha.reshape(20, 4, 8) / alpha.reshape(20, 4, 8).sum(axis=-1, keepdims=True)
    error = np.einsum("bmk,mkd->bd", d, np.asarray(params["codebooks"], np.float64)) - x
    expected = (weights * 0.5 * (error**2).sum(axis=1)).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    codebooks = np.einsum("b,bmk,bd->mkd", weights, d, error) / 20
    np.testing.assert_allclose(gradients["codebooks"], codebooks, atol=1e-5)


@pytest.mark.slow
def test_equal_weights_change_no_figure():
    rows, _ = random_table()
    task, params, aux = small_task(rows)
    plain, ones = batch_of(rows), batch_of(rows, np.ones(len(rows), np.float32))
    expected = loss_and_gradients(task, params, aux, plain)
    assert_close(loss_and_gradients(task, params, aux, ones), expected, 1e-6)
    figures = [
        task.metrics(jax.device_get(task.evaluate(params, aux, (), b)[1])) for b in (plain, ones)
    ]
    for name, value in figures[0].items():
        np.testing.assert_allclose(figures[1][name], value, rtol=1e-6)
    for name in ("mean_l2", "mean_squared_l2"):
        np.testing.assert_allclose(figures[1]["weighted_" + name], figures[0][name], rtol=1e-6)
    assert not [name for name in figures[0] if "weight" in name]


def test_weighted_figures_are_sums_over_the_sum_of_the_weights():
    rows, weights = random_table(num_rows=64)
    decoded, mask = rows[::-1].copy(), (np.arange(64) < 50).astype(np.float32)
    sums = error_sums(*map(jnp.asarray, (rows, decoded, mask, rows[0], weights)))
    figures = error_metrics(jax.device_get(sums))
    squared = ((rows - decoded)[:50].astype(np.float64) ** 2).sum(axis=1)
    mean = np.average(squared, weights=weights[:50])
    np.testing.assert_allclose(figures["weighted_mean_squared_l2"], mean, rtol=1e-5)
    mean = np.average(np.sqrt(squared), weights=weights[:50])
    np.testing.assert_allclose(figures["weighted_mean_l2"], mean, rtol=1e-5)
    np.testing.assert_allclose(figures["mean_squared_l2"], squared.mean(), rtol=1e-5)


@pytest.mark.parametrize("num_codewords", [8, 40])
def test_weighted_codebooks_are_those_of_least_squares_over_scaled_rows(num_codewords):
    rng = np.random.default_rng(0)
    rows, weights = random_table(num_rows=2_000)
    codes = rng.integers(0, num_codewords, (2_000, 3))
    equations = normal_equations(
        jnp.asarray(rows), jnp.asarray(codes), jnp.asarray(weights), num_codewords
    )
    one_hot = np.eye(num_codewords)[codes].reshape(2_000, -1)
    np.testing.assert_allclose(equations[0], one_hot.T @ (weights[:, None] * one_hot), rtol=1e-4)
    np.testing.assert_allclose(equations[1], one_hot.T @ (weights[:, None] * rows), atol=0.02)
    solved = solve_codebooks(*equations, jnp.zeros((3, num_codewords, 6)))
    scale = np.sqrt(weights.astype(np.float64))[:, None]
    best = one_hot @ np.linalg.lstsq(scale * one_hot, scale * rows, rcond=None)[0]
    found = one_hot @ np.asarray(solved, np.float64).reshape(-1, 6)
    np.testing.assert_allclose(found, best, atol=0.03)
    unweighted = one_hot @ np.linalg.lstsq(one_hot, rows, rcond=None)[0]
    assert np.abs(found - unweighted).max() > 0.3

    def error(decoded):
        return (weights * ((decoded - rows) ** 2).sum(axis=1)).sum()

    np.testing.assert_allclose(error(found), error(best), rtol=1e-4)


def small_problem(rows, weights, seed=0, **data):
    config = dccl.Config(
        seed=seed,
        batch_size=64,
        num_steps=40,
        data=dccl.DataConfig(**{"valid_rows": 0, **data}),
        model=dccl.ModelConfig(num_codebooks=4, num_codewords=8),
    )
    return prepare(rows, config, weights, say=lambda line: None)


def test_no_round_of_refinement_raises_the_weighted_error_of_the_training_rows():
    rows, weights = random_table()
    kept = np.arange(len(rows)) % 10 > 0
    table = make_table(rows, weights)._replace(held_out=np.flatnonzero(~kept))
    step = refine_batch(12)

    def error(found, codebooks):
        squared = ((Codes(found, np.asarray(codebooks)).decode() - rows) ** 2).sum(axis=1)
        return np.average(squared[kept], weights=weights[kept]), squared[kept].mean()

    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = rng.integers(0, 8, (len(rows), 4)).astype(np.uint8)
        codebooks = jnp.asarray(rng.normal(size=(4, 8, rows.shape[1])), jnp.float32)
        start = Codes(found, np.asarray(codebooks))
        placed = place_codes(table, start).codes
        errors = [error(found, codebooks)[0]]
        for number in range(6):
            key = table.place(jax.random.key(number))
            placed, equations = search(table, step, placed, table.place(codebooks), key)
            found = np.asarray(placed)
            errors.append(error(found, codebooks)[0])
            codebooks = fit_codebooks(equations, codebooks, relaxation_of(number, 6))
            errors.append(error(found, codebooks)[0])
        assert all(after < before * (1 + 1e-5) for before, after in itertools.pairwise(errors))
        assert errors[-1] < 0.5 * errors[0]
    config = dccl.RefineConfig(num_rounds=6, num_steps=12)
    refined = refine_codes(table, start, config).codes
    weighted, plain = error(refined.codes, refined.codebooks)
    assert weighted < 0.5 * errors[0]
    assert weighted < plain


def test_codes_are_judged_by_weight_over_all_and_over_held_out_rows():
    rows, weights = random_table()
    problem = small_problem(rows, weights, valid_rows=30)
    codes = to_codes(problem, init_state(problem.job), None)
    figures = code_errors(problem.table, codes)
    squared = ((codes.decode() - rows) ** 2).sum(axis=1)
    for name, kept in (("all", slice(None)), ("valid", problem.table.held_out)):
        mean = np.average(squared[kept], weights=weights[kept])
        np.testing.assert_allclose(figures[name]["weighted_mean_squared_l2"], mean, rtol=1e-5)
        np.testing.assert_allclose(figures[name]["mean_squared_l2"], squared[kept].mean(), 1e-5)


def test_the_best_state_is_chosen_by_weight_if_there_are_weights():
    rows, weights = random_table()
    for given, figure in ((None, "mean_squared_l2"), (weights, "weighted_mean_squared_l2")):
        assert small_problem(rows, given).job.best_metric == f"sample_{figure}"
        problem = small_problem(rows, given, valid_rows=30)
        assert problem.job.best_metric == f"valid_{figure}"
        feeds = (problem.job.feed, problem.table.everything(), *problem.job.evaluations.values())
        assert all(("weights" in feed.index(0)) == (given is not None) for feed in feeds)


def test_few_rows_with_a_weight_still_have_figures():
    rows, _ = random_table()
    weights = np.zeros(300)
    weights[[7, 250]] = 1.0
    problem = small_problem(rows, weights)
    sums = evaluate(problem.job, init_state(problem.job), problem.job.evaluations["sample"])
    assert sums["count"] == 2
    assert sums["weight"] == 300
    valid = small_problem(rows, np.ones(300), valid_rows=3).table.held_out
    with pytest.raises(InputError, match="the weights of all 3 held-out rows are 0; hold out more"):
        small_problem(rows, (~np.isin(np.arange(300), valid)).astype(float), valid_rows=3)


def compress(weights):
    """Codes of 200 rows, and each row's squared error."""
    rows, _ = random_table(num_rows=200)
    config = dccl.Config(
        batch_size=50,
        num_steps=80,
        eval_every=80,
        steps_per_dispatch=40,
        data=dccl.DataConfig(valid_rows=0),
        refine=dccl.RefineConfig(num_rounds=2),
    )
    codes = jaxcompress.compress(rows, 3, 8, weights=weights, config=config)
    return codes, ((codes.decode() - rows) ** 2).sum(axis=1)


@functools.cache
def compress_without_weights():
    return compress(None)


@pytest.mark.slow
def test_rows_of_weight_10_are_kept_better_than_without():
    heavy = np.arange(200) % 4 == 0
    _, plain = compress_without_weights()
    _, weighted = compress(np.where(heavy, 10, 1))
    assert weighted[heavy].mean() < 0.8 * plain[heavy].mean()
    assert weighted[~heavy].mean() > plain[~heavy].mean()


@pytest.mark.slow
def test_equal_weights_give_the_codes_of_no_weights():
    plain, _ = compress_without_weights()
    equal, _ = compress(np.full(200, 7))
    np.testing.assert_array_equal(equal.codes, plain.codes)
    np.testing.assert_allclose(equal.codebooks, plain.codebooks, atol=1e-5)


def test_compress_takes_weights_as_the_config_does_and_tells_what_it_cannot_take(
    tmp_path, monkeypatch, caplog
):
    rows, weights = random_table(num_rows=40)
    (tmp_path / "w.txt").write_text("b 2\na 3\nc 1\n")

    class Prepared(Exception):
        pass

    def refuse(rows, config, weights, say):
        raise Prepared(weights)

    def given(table, **arguments):
        with monkeypatch.context() as patch:
            patch.setattr(dccl_prepare, "prepare", refuse)
            with pytest.raises(Prepared) as caught:
                jaxcompress.compress(table, **arguments)
        return caught.value.args[0]

    assert given(rows) is None
    np.testing.assert_array_equal(given(rows, weights=list(weights)), weights)
    np.testing.assert_array_equal(given(rows, weights="zipf"), 1 / np.arange(1, 41))
    config = dccl.Config(data=dccl.DataConfig(weights=str(tmp_path / "w.txt")))
    np.testing.assert_array_equal(given(rows[:2], words=["a", "b"], config=config), [3, 2])
    note = f"words of {tmp_path}/w.txt that are not in the table: 1; they were ignored."
    assert caplog.messages == [note]
    with pytest.raises(InputError, match="weights: 3 weights; expected 40"):
        jaxcompress.compress(rows, weights=[1, 2, 3])
    data = dccl.DataConfig(valid_rows=0, weights="gone.txt")
    with pytest.raises(InputError, match=r"no file gone.txt"):
        jaxcompress.compress(rows, config=dccl.Config(data=data))


def test_a_run_shows_weighted_figures_and_refuses_other_weights(table, tmp_path, capsys, caplog):
    file = tmp_path / "counts.txt"
    counts = np.random.default_rng(0).integers(1, 1000, 600)
    file.write_text("".join(f"w{i}\t{counts[i]}\n" for i in range(1, 600)) + "other 5\n")
    config = dccl.Config(
        batch_size=64,
        num_steps=20,
        report=False,
        data=dccl.DataConfig(path=str(table), weights=str(file)),
        model=dccl.ModelConfig(num_codebooks=4, num_codewords=8),
        refine=dccl.RefineConfig(num_rounds=1),
    )
    workdir = tmp_path / "run"
    codes, summary = train.dccl.train(config, str(workdir))
    printed = capsys.readouterr().out
    counts[0] = min(counts[1:])
    assert f"words without a weight in {file}: 1; each got the least" in caplog.text
    assert f"words of {file} that are not in the table: 1;" in caplog.text
    squared = ((codes.decode() - np.load(table)) ** 2).sum(axis=1)
    held_out = ~train_rows(table)
    for prefix, kept in (("", slice(None)), ("valid_", held_out)):
        mean = np.average(squared[kept], weights=counts[kept])
        np.testing.assert_allclose(summary[f"{prefix}weighted_mean_squared_l2"], mean, rtol=1e-5)
        mean = np.average(np.sqrt(squared[kept]), weights=counts[kept])
        np.testing.assert_allclose(summary[f"{prefix}weighted_mean_l2"], mean, rtol=1e-5)
        assert f"\n{prefix}weighted_mean_squared_l2 " in printed
    assert summary["weighted_mean_squared_l2"] < summary["unrefined_weighted_mean_squared_l2"]
    assert json.loads((workdir / "summary.json").read_text()) == summary

    moved = file.rename(tmp_path / "moved.txt")
    config.data.weights = str(moved)
    again = run(config, str(workdir), "export")
    np.testing.assert_array_equal(again.codes.codes, codes.codes)
    moved.write_text("".join(f"{count + 1}\n" for count in counts))
    for other in (str(moved), "zipf", None):
        config.data.weights = other
        with pytest.raises(InputError, match="holds a run over other data"):
            train.dccl.train(config, str(workdir))


def train_rows(table):
    config = dccl.Config(data=dccl.DataConfig(path=str(table)))
    return np.isin(np.arange(600), prepare(np.load(table), config).table.held_out, invert=True)


def test_weights_are_part_of_the_fingerprint_and_their_absence_is_not():
    rows, words = np.arange(12, dtype=np.float32).reshape(4, 3), list("abcd")
    whole = b"(4, 3)" + rows.tobytes() + b"a\nb\nc\nd"
    assert fingerprint(rows, words) == hashlib.blake2b(whole, digest_size=32).hexdigest()[:16]
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    found = {fingerprint(rows, words, w) for w in (None, weights, weights[::-1], 2 * weights)}
    assert len(found) == 4


def test_the_command_line_takes_weights(table, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(helpers.ROOT)
    bad = tmp_path / "bad.txt"
    bad.write_text("w1 1\nw2 -1\n")
    data = (f"--config.data.path={table}", f"--workdir={tmp_path / 'run'}")
    arguments = ["train/dccl.py", *helpers.SMALL, *data, f"--config.data.weights={bad}"]
    assert train.dccl.main(arguments) == 2
    lines = helpers.error_of(capsys).strip().splitlines()
    assert lines == [
        f"error: {bad}, line 2: the weight is '-1'; expected a finite number of at least 0."
    ]
    assert not (tmp_path / "run").exists()
