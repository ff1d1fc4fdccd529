"""From a table and a config to codes: what `compress` and `python -m train.dccl` share."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.codes.rows import PreparedTable, is_too_large
from jaxcompress.data.batches import shuffled, split_rows
from jaxcompress.data.vectors.weights import normalize_weights
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.task import default_num_steps, make_optimizer, make_task, row_statistics
from jaxcompress.engine.job import Job
from jaxcompress.engine.steps import make_engine
from jaxcompress.errors import InputError

_SAMPLE = 2048  # training rows that tell how well training goes, and which codewords are used


class Problem(NamedTuple):
    """A table and a config, made ready for the loop.

    Attributes:
        config: the run's.
        job: what the loop runs; the best state is chosen by held-out rows, if there are any.
        table: all rows, in order; those held out take no part in the codebooks.
    """

    config: Config
    job: Job
    table: PreparedTable


def split(num_rows: int, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Row ids to train on and to hold out, each int32 and ascending, by the seed.

    Raises:
        InputError: where none are left to train on.
    """
    valid_rows = config.data.valid_rows
    if valid_rows is None:
        valid_rows = min(num_rows // 20, 1000)
    if not 0 <= valid_rows < num_rows:
        raise InputError(
            f"data.valid_rows is {valid_rows}; the table has {num_rows} rows and "
            "some must be left to train on."
        )
    return split_rows(num_rows, valid_rows, config.seed)


def prepare(
    rows: np.ndarray,
    config: Config,
    say: Callable[[str], None] = print,
    weights: np.ndarray | None = None,
) -> Problem:
    """Makes task, feeds and engine of a table.

    Args:
        rows: float16 or float32 [N, D], finite; placed on the device unless it is too large.
        config: `num_steps` and `batch_size` are derived or clipped where need be.
        say: takes a line for the user.
        weights: [N], finite, not negative: how much each row counts in the loss, the refit of the
            codebooks and the choice of the best state; scaled to a mean of 1 over the rows that
            are trained on. None: all rows count alike.

    Raises:
        InputError: where the table and the config do not fit.
    """
    config.check()
    if config.target_mb is not None:
        raise InputError(
            "target_mb is for `python -m train.dccl`; here give num_codebooks and num_codewords."
        )
    train_ids, valid_ids = split(len(rows), config)
    if len(train_ids) < config.model.num_codewords:
        raise InputError(
            f"{len(train_ids)} rows to train on are fewer than model.num_codewords "
            f"= {config.model.num_codewords}; take fewer codewords."
        )
    sampled = train_ids
    if weights is not None:
        weights = normalize_weights(weights, train_ids)
        sampled = train_ids[weights[train_ids] > 0]
        if len(valid_ids) and not weights[valid_ids].any():
            raise InputError(
                f"the weights of all {len(valid_ids)} held-out rows are 0; hold out more "
                "(data.valid_rows), or none (0)."
            )
    batch_size, num_devices = config.batch_size, jax.device_count()
    if batch_size > len(train_ids):
        batch_size = max(len(train_ids) // num_devices, 1) * num_devices
        say(
            f"note: batch_size {config.batch_size} was clipped to {batch_size}, for "
            f"{len(train_ids)} training rows."
        )
    num_steps = config.num_steps or default_num_steps(
        len(train_ids), batch_size, config.steps_per_dispatch
    )
    task = make_task(config.model, row_statistics(rows, train_ids), num_steps)
    tx = make_optimizer(config.optimizer, num_steps)
    stream = config.data.stream
    if stream is None:
        stream = is_too_large(rows)
    feed = shuffled(rows, train_ids, batch_size, config.seed, stream=stream, weights=weights)
    engine = make_engine(config.parallel, batch_size, task, tx, feed.gather)
    data = () if stream else engine.place_data(rows)
    table = PreparedTable(
        rows=rows,
        weights=weights,
        is_training=np.isin(np.arange(len(rows)), valid_ids, invert=True),
        stream=stream,
        place=engine.place_shared,
        map=lambda function, state, index: engine.map(function, state, data, index),
    )
    evaluations = {"sample": table.batches(sampled[:: max(1, len(sampled) // _SAMPLE)][:_SAMPLE])}
    if len(valid_ids):
        evaluations["valid"] = table.batches(valid_ids)
    figure = "mean_squared_l2" if weights is None else "weighted_mean_squared_l2"
    job = Job(
        task=task,
        tx=tx,
        engine=engine,
        data=data,
        feed=feed,
        evaluations=evaluations,
        config=config,
        num_steps=num_steps,
        best_metric=f"valid_{figure}" if len(valid_ids) else f"sample_{figure}",
    )
    return Problem(config, job, table)
