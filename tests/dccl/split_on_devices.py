"""Run by test_split.py on 8 devices: a table that is split by rows is trained on and coded where it
lies, with the results of a table that lies on every device."""

import re
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxcompress
from jaxcompress import dccl
from jaxcompress.codes import rows as codes_rows
from jaxcompress.codes.least_squares import normal_equations, refine_batch
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.placed import copy, fetch_codes, place_codes
from jaxcompress.codes.refine import refine_codes, search
from jaxcompress.codes.rows import make_table
from jaxcompress.codes.split_file import read_split, write_split
from jaxcompress.data.batches import gather_rows
from jaxcompress.dccl.export import encode, encode_rows
from jaxcompress.dccl.prepare import prepare
from jaxcompress.engine.loop import evaluate, init_state, stack
from jaxcompress.engine.mapper import make_mapper
from jaxcompress.engine.placement import add_up_parts
from jaxcompress.engine.steps import make_engine

COLLECTIVES = "all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter"
NUM_ROWS, DIM, SHARDS, BATCH = 1003, 6, 16, 64
rng = np.random.default_rng(0)
rows = rng.normal(size=(NUM_ROWS, DIM)).astype(np.float32)
weights = rng.uniform(0.5, 2.0, NUM_ROWS)


def problem_of(stream=None):
    config = dccl.Config(
        batch_size=BATCH,
        num_steps=40,
        data=dccl.DataConfig(shard=True, num_shards=SHARDS, valid_rows=50, stream=stream),
        model=dccl.ModelConfig(num_codebooks=4, num_codewords=8),
    )
    return prepare(rows, config, weights, say=lambda line: None)


def rows_of(problem, index):
    """The numbers of a batch's rows in the whole table."""
    shards = problem.table.shards
    ids = index["ids"].reshape(shards.count, -1)
    return np.concatenate([shards.rows(s).start + own for s, own in enumerate(ids)])


def losses_of(engine, problem, data, indices):
    state = engine.place_state(init_state(problem.job))
    state, metrics = engine.train(state, data, stack(indices), jax.random.key(1))
    return np.asarray(metrics["loss"]), engine.global_state(state)


def check_training(problem):
    """Losses are those of the same batches of a table on every device; no row is sent."""
    job, table = problem.job, problem.table
    assert {part.data.shape for part in table.data.addressable_shards} == {(2, 64, DIM)}
    indices = [job.feed.index(step) for step in range(20)]
    losses, state = losses_of(job.engine, problem, table.data, indices)
    whole = [{**index, "ids": rows_of(problem, index)} for index in indices]
    for index in whole:
        np.testing.assert_allclose(index["weights"], table.weights[index["ids"]])
        assert not np.isin(index["ids"], table.held_out).any()
    engine = make_engine("jit", BATCH, job.task, job.tx, gather_rows)
    expected, _ = losses_of(engine, problem, engine.place_data(rows), whole)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert losses[-1] < losses[0]
    sent, _ = losses_of(problem_of(stream=True).job.engine, problem, (), [
        problem_of(stream=True).job.feed.index(step) for step in range(20)])  # fmt: skip
    np.testing.assert_allclose(sent, losses, rtol=1e-6)
    index = job.engine.place_index(stack(indices[:2]))
    text = job.engine.step.lower(state, table.data, index, jax.random.key(1)).compile().as_text()
    found = set(re.findall(f" ({COLLECTIVES})", text))
    assert found <= {"all-reduce"}, found
    return state


def check_epochs(problem):
    """Each epoch of a shard sees each of its rows once."""
    table, seen = problem.table, []
    for step in range(14):  # shards have 59 to 60 rows to train on, four of them in a batch
        seen.append(rows_of(problem, problem.job.feed.index(step)))
    assert len(set(np.concatenate(seen))) == 14 * BATCH
    assert len(table.held_out) == 50


def check_codes(problem, state):
    table = problem.table
    placed = encode_rows(problem, state)
    assert {part.data.shape for part in placed.codes.addressable_shards} == {(2, 64, 4)}
    codes = fetch_codes(table, placed)
    expected = jax.jit(encode)(state, {"rows": rows})
    np.testing.assert_array_equal(codes, expected)
    # A round of search, and the equations of its codes.
    step, key = refine_batch(12), table.place(jax.random.key(3))
    codebooks = table.place(placed.codebooks)
    found, equations = search(table, step, copy(placed.codes), codebooks, key)
    assert {part.data.shape for part in equations[0].addressable_shards} == {(2, 32, 32)}
    found = fetch_codes(table, placed._replace(codes=found))
    assert (found != codes).any()
    fit = np.where(np.isin(np.arange(NUM_ROWS), table.held_out), 0, table.weights)
    whole = normal_equations(*map(jnp.asarray, (rows, found, fit)), 8)
    for own, all_rows in zip(equations, whole, strict=True):
        np.testing.assert_allclose(np.sum(own, axis=0), all_rows, rtol=1e-4, atol=1e-3)
    return placed


def check_sums():
    """Sums of parts have the same bits on any devices, which send what they have once."""
    parts = rng.normal(size=(32, 7, 7)).astype(np.float32), rng.normal(size=(32, 7, 3)).astype("f4")
    sums = []
    for count in (1, 2, 4, 8):
        split = make_mapper(gather_rows, devices=jax.devices()[:count]).split
        own = jax.device_put(parts, split)
        sums.append(add_up_parts(own, split))
        text = add_up_parts.lower(own, split).compile().as_text()
        found = re.findall(f" ({COLLECTIVES})", text)
        assert found == ["all-gather"] * (count > 1), found
        assert count == 1 or f"f32[{count},70]" in text  # sums of a device, not its parts
    for some in sums:
        for own, first, part in zip(some, sums[0], parts, strict=True):
            np.testing.assert_array_equal(own, first)
            np.testing.assert_allclose(own[0], part.sum(axis=0, dtype="f8"), rtol=1e-5, atol=1e-5)


def check_errors(problem, state, placed):
    """Figures are those of the same codes and of the same rows, on every device."""
    table = problem.table
    figures = code_errors(table, placed)
    codes = jaxcompress.Codes(fetch_codes(table, placed), placed.codebooks)
    everywhere = make_table(rows, table.weights)._replace(held_out=table.held_out)
    for name, expected in code_errors(everywhere, codes).items():
        for figure, value in expected.items():
            np.testing.assert_allclose(figures[name][figure], value, rtol=1e-5, err_msg=figure)
    refined = refine_codes(table, placed, dccl.RefineConfig(num_rounds=3)).codes
    errors = [code_errors(table, some)["all"]["mean_squared_l2"] for some in (placed, refined)]
    assert errors[1] < errors[0]
    sums = evaluate(problem.job, state, table.everything())
    assert sums["count"] == NUM_ROWS
    assert evaluate(problem.job, state, problem.job.evaluations["valid"])["count"] == 50
    return refined


def check_file(problem, refined):
    table = problem.table
    with tempfile.TemporaryDirectory() as folder:
        file, words = Path(folder) / "model.safetensors", [f"w{i}" for i in range(NUM_ROWS)]
        assert read_split(file, table, "7") is None
        write_split(file, table, refined, words, None, {"step": "7"})
        opened = jaxcompress.load(file)
        codes = fetch_codes(table, refined)
        np.testing.assert_array_equal(opened.codes, codes)
        np.testing.assert_array_equal(opened.codebooks, refined.codebooks)
        assert list(opened.words) == words
        again = Path(folder) / "again.safetensors"
        opened.save(again)
        assert file.stat().st_size == again.stat().st_size
        assert read_split(file, table, "8") is None
        found, metadata = read_split(file, table, "7")
        assert metadata["step"] == "7"
        np.testing.assert_array_equal(fetch_codes(table, found), codes)
        assert found.codes.sharding == refined.codes.sharding
    placed = place_codes(table, opened)
    np.testing.assert_array_equal(fetch_codes(table, placed), opened.codes)


def main():
    assert jax.device_count() == 8
    codes_rows._CPU_BATCH = 100  # so that there are several batches, the last of which overlaps
    check_sums()
    problem = problem_of()
    check_epochs(problem)
    state = check_training(problem)
    placed = check_codes(problem, state)
    check_file(problem, check_errors(problem, state, placed))


if __name__ == "__main__":
    main()
