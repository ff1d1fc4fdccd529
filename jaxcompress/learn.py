"""From a table and a config to codes: what `compress` and `python -m train.dccl` share."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress import dccl, loop, refine
from jaxcompress.compressed import Codes
from jaxcompress.data.batches import Feed, in_order, shuffled, split_rows
from jaxcompress.errors import InputError
from jaxcompress.lookup import sum_codewords
from jaxcompress.steps import make_engine
from jaxcompress.task import TrainState

_CPU_BATCH, _BATCH = 1024, 16_384  # rows an evaluation or a refinement takes at a time: on CPU
# what lies between its sweeps should stay in the cache (1,024 rows: 19 ms; 4,096: 103 ms)
_SAMPLE = 2048  # training rows that tell how well training goes, and which codewords are used


class Problem(NamedTuple):
    """A table and a config, made ready for the loop.

    Attributes:
        config: the run's.
        job: what the loop runs; the best state is chosen by held-out rows, if there are any.
        everything: all rows, in order.
        is_training: bool [N]: which rows are not held out.
        num_rows: N.
    """

    config: dccl.Config
    job: loop.Job
    everything: Feed
    is_training: np.ndarray
    num_rows: int


def prepare(rows: np.ndarray, config: dccl.Config, say: Callable[[str], None] = print) -> Problem:
    """Makes task, feeds and engine of a table.

    Args:
        rows: float16 or float32 [N, D], finite; placed on the device unless it is too large.
        config: `num_steps` and `batch_size` are derived or clipped where need be.
        say: takes a line for the user.

    Raises:
        InputError: where the table and the config do not fit.
    """
    config.check()
    valid_rows = config.data.valid_rows
    if valid_rows is None:
        valid_rows = min(len(rows) // 20, 1000)
    if not 0 <= valid_rows < len(rows):
        raise InputError(
            f"data.valid_rows is {valid_rows}; the table has {len(rows)} rows and "
            "some must be left to train on."
        )
    train_ids, valid_ids = split_rows(len(rows), valid_rows, config.seed)
    if len(train_ids) < config.model.num_codewords:
        raise InputError(
            f"{len(train_ids)} rows to train on are fewer than model.num_codewords "
            f"= {config.model.num_codewords}; take fewer codewords."
        )
    batch_size, num_devices = config.batch_size, jax.device_count()
    if batch_size > len(train_ids):
        batch_size = max(len(train_ids) // num_devices, 1) * num_devices
        say(
            f"note: batch_size {config.batch_size} was clipped to {batch_size}, for "
            f"{len(train_ids)} training rows."
        )
    num_steps = config.num_steps or dccl.default_num_steps(len(train_ids), batch_size)
    task = dccl.make_task(config.model, dccl.row_statistics(rows, train_ids), num_steps)
    tx = dccl.make_optimizer(config.optimizer, num_steps)
    stream = config.data.stream
    if stream is None:
        stream = rows.nbytes > _device_bytes() / 2
    feed = shuffled(rows, train_ids, batch_size, config.seed, stream=stream)
    engine = make_engine(config.parallel, batch_size, task, tx, feed.gather)

    def in_batches(ids: np.ndarray) -> Feed:
        at_a_time = _CPU_BATCH if jax.default_backend() == "cpu" else _BATCH
        per_device = -(-min(at_a_time, len(ids)) // num_devices)
        return in_order(rows, ids, per_device * num_devices, stream=stream)

    evaluations = {"sample": in_batches(train_ids[:: max(1, len(train_ids) // _SAMPLE)][:_SAMPLE])}
    if valid_rows:
        evaluations["valid"] = in_batches(valid_ids)
    job = loop.Job(
        task=task,
        tx=tx,
        engine=engine,
        data=() if stream else engine.place_data(rows),
        feed=feed,
        evaluations=evaluations,
        config=config,
        num_steps=num_steps,
        best_metric="valid_mean_squared_l2" if valid_rows else "sample_mean_squared_l2",
    )
    return Problem(
        config=config,
        job=job,
        everything=in_batches(np.arange(len(rows), dtype=np.int32)),
        is_training=np.isin(np.arange(len(rows)), valid_ids, invert=True),
        num_rows=len(rows),
    )


def _device_bytes() -> float:
    """Memory of one device in bytes; 0 on CPU, where a table that is placed is a second copy."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return 0.0
    return (device.memory_stats() or {}).get("bytes_limit", float("inf"))


def to_codes(
    problem: Problem,
    state: TrainState,
    words: Sequence[str] | None,
    metadata: Mapping[str, str] | None = None,
) -> Codes:
    """Encodes every row with a trained state, before any refinement."""
    codes = loop.map_rows(dccl.encode, problem.job, state, problem.everything, problem.num_rows)
    params, aux = jax.device_get((state.params, state.aux))
    return Codes(
        codes,
        dccl.export_codebooks(params, aux),
        words,
        dccl.export_encoder(params, aux),
        metadata or {},
    )


def refine_codes(problem: Problem, codes: Codes) -> Codes:
    """Takes `refine.num_rounds` rounds of coordinate search and least-squares codebooks.

    Held-out rows take part in the search for their codes alone, never in the codebooks.
    """
    engine, data = problem.job.engine, problem.job.data
    key = jax.random.key(problem.config.seed)
    codebooks, found = engine.place_shared(jnp.asarray(codes.codebooks)), codes.codes.copy()
    feed = _with_codes(problem, found)
    for number in range(problem.config.refine.num_rounds):
        equations = engine.place_shared(refine.no_equations(codebooks))
        round_key = engine.place_shared(jax.random.fold_in(key, 2 + number))
        late = None
        for i in range(feed.num_batches):
            equations, improved = engine.map(
                refine.refine_batch, (codebooks, round_key, equations), data, feed.index(i)
            )
            if late is not None:
                _put_batch(found, feed.batch_size, *late)
            late = (i, improved)
        _put_batch(found, feed.batch_size, *late)
        if equations:
            codebooks = refine.solve_codebooks(*equations, codebooks)
    return dataclasses.replace(codes, codes=found, codebooks=np.asarray(codebooks))


def _put_batch(table: np.ndarray, batch_size: int, number: int, rows: jax.Array) -> None:
    """Writes batch `number` to its place in the table, without its padding."""
    part = table[number * batch_size : (number + 1) * batch_size]
    part[:] = jax.device_get(rows)[: len(part)]


def _with_codes(problem: Problem, codes: np.ndarray) -> Feed:
    """All rows in order, with their codes, and whether the codebooks may be fitted to them."""
    feed, size = problem.everything, problem.everything.batch_size

    def index(i: int) -> dict:
        rows = slice(i * size, (i + 1) * size)
        held = np.zeros((size, codes.shape[1]), codes.dtype)
        held[: len(codes[rows])] = codes[rows]
        fit_to = np.zeros(size, bool)
        fit_to[: len(codes[rows])] = problem.is_training[rows]
        number = np.full(size, i, np.int32)
        return {**feed.index(i), "codes": held, "fit": fit_to, "batch_number": number}

    return feed._replace(index=index)


def code_errors(problem: Problem, codes: Codes) -> dict[str, dict[str, float]]:
    """Figures of hard codes over "all" rows, and over the held-out ones as "valid"."""
    totals: dict[str, dict] = {"all": {}, "valid": {}}
    state = problem.job.engine.place_shared(
        (jnp.asarray(codes.codebooks), jnp.asarray(codes.codebooks.mean(axis=1).sum(axis=0)))
    )
    feed = _with_codes(problem, codes.codes)
    for parts in loop.map_batches(_error_sums, problem.job, state, feed):
        loop.add_sums(totals["all"], parts["all"])
        loop.add_sums(totals["valid"], parts["valid"])
    totals["all"]["usage"] = np.stack(
        [np.bincount(column, minlength=codes.num_codewords) for column in codes.codes.T]
    )
    return {name: dccl.error_metrics(sums) for name, sums in totals.items() if sums["count"]}


def _error_sums(state: tuple, batch: dict) -> dict:
    codebooks, center = state
    decoded = sum_codewords(codebooks, batch["codes"])
    mask = batch["mask"].astype(jnp.float32)
    held_out = mask * (1.0 - batch["fit"].astype(jnp.float32))
    return {
        "all": dccl.error_sums(batch["rows"], decoded, mask, center),
        "valid": dccl.error_sums(batch["rows"], decoded, held_out, center),
    }
