"""From data and a config to a job: `read` the table, then `prepare` it. Nothing is trained here.

Axis letters: N rows, D dimensions.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.codes.rows import PreparedTable, is_too_large
from jaxcompress.data.batches import gather_scaled
from jaxcompress.data.row_shards import RowShards
from jaxcompress.data.text.stdlib import STDLIB
from jaxcompress.data.vectors.files import Vectors, read_vectors
from jaxcompress.data.vectors.stdlib import stdlib_vectors
from jaxcompress.data.vectors.weights import normalize_weights, read_weights
from jaxcompress.dccl.config import EFFORTS, Config, DataConfig, ModelConfig
from jaxcompress.dccl.feeds import sample_rows, training_feed
from jaxcompress.dccl.split import hold_out, rows_of_process, rows_to_train, shards_of, survey
from jaxcompress.dccl.task import default_num_steps, make_optimizer, make_task
from jaxcompress.engine.engine import Engine
from jaxcompress.engine.job import Job
from jaxcompress.engine.mapper import gather_of_shards
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.placement import place_shards
from jaxcompress.engine.report import say
from jaxcompress.engine.steps import make_engine
from jaxcompress.errors import InputError, naming

_DEFAULT_BATCH_SIZE = Config().batch_size


class Source(NamedTuple):
    """What a config names: a table, and how much its rows count.

    Attributes:
        vectors: the rows [N, D] with their words.
        weights: float64 [N]; None: all rows count alike.
    """

    vectors: Vectors
    weights: np.ndarray | None


class Problem(NamedTuple):
    """A table and a config, made ready for the loop.

    Attributes:
        config: what was asked for.
        job: what the loop runs; the best state is chosen by the held-out rows, if there are any.
        table: all rows, in order; codebooks are not fitted to those that are held out.
    """

    config: Config
    job: Job
    table: PreparedTable

    @property
    def is_split(self) -> bool:
        """Whether rows and codes are split over the devices."""
        return self.table.shards.count > 1


def read(config: Config, say: Callable[[str], None] = say) -> Source:
    """Reads the vectors and the weights that a config names.

    Args:
        config: of which `data` is read.
        say: takes what a user should know of the reading, a line each.

    Raises:
        InputError: if a file is missing or is not what was expected.
    """
    vectors = _read_vectors(config)
    for note in vectors.notes:
        say(f"note: {note}")
    if config.data.weights is None:
        return Source(vectors, None)
    weights, notes = read_weights(config.data.weights, len(vectors.rows), vectors.words)
    for note in notes:
        say(f"note: {note}")
    return Source(vectors, weights)


def _read_vectors(config: Config) -> Vectors:
    data = config.data
    if data.path != STDLIB:
        own_rows = lambda num_rows: rows_of_process(shards_of(num_rows, config))
        max_rows = data.max_rows
        return read_vectors(data.path, tensor=data.tensor, max_rows=max_rows, own_rows=own_rows)
    vectors = stdlib_vectors()
    kept = slice(data.max_rows)
    return vectors._replace(rows=vectors.rows[kept], words=vectors.words[kept])


@own_settings
def prepare(
    rows: np.ndarray,
    config: Config,
    weights: np.ndarray | None = None,
    *,
    source: str = "",
    say: Callable[[str], None] = say,
) -> Problem:
    """Makes the job of a table: task, optimiser, feeds and engine.

    Args:
        rows: float16 or float32 [N, D], finite; placed on the device unless it is too large.
        config: `batch_size` is clipped to the rows there are, and its default is made a multiple of
            the number of devices; `num_steps` is derived if None.
        weights: [N], finite, not negative: how much each row counts in the loss, in the refinement
            of codebooks and in the choice of the best state; scaled to a mean of 1 over the rows
            that are trained on. None: all rows count alike.
        source: what the rows were read from, which errors about them name; "": nothing.
        say: takes a line for the user.

    Raises:
        InputError: if the table and the config do not fit.
    """
    config.check()
    shards = shards_of(len(rows), config)
    with naming(source):
        held_out = hold_out(shards, config)
        num_trained = len(rows) - len(held_out)
        _check_enough_rows(num_trained, config.model.num_codewords)
        _check_groups(config.model, rows.shape[1])
    if weights is not None:
        weights = _scale_weights(weights, held_out)
    is_split = shards.count > 1
    num_parts = shards.count if is_split else jax.device_count()
    batch_size = _fit_batch_size(config.batch_size, num_trained, num_parts, say, is_split=is_split)
    num_steps = config.num_steps or default_num_steps(
        num_trained, batch_size, config.steps_per_dispatch, EFFORTS[config.effort].steps
    )
    exponent, statistics, heavy = survey(rows, shards, held_out)
    if weights is None and heavy:
        say(f"note: {heavy}")
    task = make_task(config.model, statistics, num_steps, exponent)
    tx = make_optimizer(config.optimizer, num_steps)
    stream = _is_streamed(rows, config.data)
    gather = gather_scaled(exponent)
    if is_split and not stream:
        gather = gather_of_shards(gather)
    engine = make_engine(config.parallel, batch_size, task, tx, gather)
    table = PreparedTable(
        rows=rows,
        weights=weights,
        held_out=held_out,
        exponent=exponent,
        shards=shards,
        stream=stream,
        mapper=engine.mapper,
        data=() if stream else _place(engine, rows, shards),
    )
    evaluations = {"sample": table.batches(sample_rows(table))}
    if len(held_out):
        evaluations["valid"] = table.batches(held_out)
    job = Job(
        task=task,
        tx=tx,
        engine=engine,
        data=table.data,
        feed=training_feed(table, batch_size, config.seed),
        evaluations=evaluations,
        config=config,
        num_steps=num_steps,
        best_metric=_best_metric(len(held_out) > 0, weights is not None),
    )
    return Problem(config, job, table)


def _is_streamed(rows: np.ndarray, config: DataConfig) -> bool:
    if config.stream is not None:
        return config.stream
    return not config.shard and is_too_large(rows)


def _place(engine: Engine, rows: np.ndarray, shards: RowShards) -> jax.Array:
    if shards.count == 1:
        return engine.place_data(rows)
    return place_shards(rows, shards, engine.mapper.split)


def split_ids(num_rows: int, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Draws the rows to train on and those to hold out, by the seed, of a table that is not split.

    Args:
        num_rows: N.
        config: `data.valid_rows` and `seed` are read.

    Returns:
        Row ids to train on and to hold out, each int32 and ascending.

    Raises:
        InputError: if none are left to train on.
    """
    shards = RowShards(num_rows)
    held_out = hold_out(shards, config)
    return rows_to_train(shards, held_out, 0), held_out


def _check_enough_rows(num_trained: int, num_codewords: int) -> None:
    if num_trained < num_codewords:
        raise InputError(
            f"{num_trained} rows to train on are fewer than model.num_codewords "
            f"= {num_codewords}; take fewer codewords."
        )


def _check_groups(model: ModelConfig, dim: int) -> None:
    if model.codebooks_per_group and dim % model.num_groups:
        raise InputError(
            f"model.num_groups is {model.num_groups}; it must divide the {dim} dimensions of a row."
        )


def _scale_weights(weights: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Scales weights to a mean of 1 over the rows that are trained on; float32 [N]."""
    scaled = normalize_weights(weights, rows_to_train(RowShards(len(weights)), held_out, 0))
    if len(held_out) and not scaled[held_out].any():
        raise InputError(
            f"the weights of all {len(held_out)} held-out rows are 0; hold out more "
            "(data.valid_rows), or none (0)."
        )
    return scaled


def _fit_batch_size(
    batch_size: int,
    num_trained: int,
    num_parts: int,
    say: Callable[[str], None],
    *,
    is_split: bool = False,
) -> int:
    """Gives a batch size that the rows can fill and the devices or shards can share.

    The default gives way to their number. Any other is that of somebody who chose it: devices may
    compute a part twice, but each shard must give as many rows.
    """
    parts = f"{num_parts} {'shards' if is_split else 'devices'}"
    if batch_size > num_trained:
        clipped = max(num_trained // num_parts, 1) * num_parts
        say(
            f"note: batch_size {batch_size} was clipped to {clipped}, for {num_trained} training "
            "rows."
        )
        return clipped
    shared = max(batch_size // num_parts, 1) * num_parts
    if shared == batch_size:
        return batch_size
    if batch_size != _DEFAULT_BATCH_SIZE:
        if is_split:
            raise InputError(f"batch_size {batch_size} must be a multiple of the {parts}.")
        return batch_size
    say(
        f"note: batch_size is {shared}, since the default {batch_size} is no multiple of the "
        f"{parts}."
    )
    return shared


def _best_metric(has_held_out_rows: bool, is_weighted: bool) -> str:
    rows = "valid" if has_held_out_rows else "sample"
    return f"{rows}_weighted_mean_squared_l2" if is_weighted else f"{rows}_mean_squared_l2"
