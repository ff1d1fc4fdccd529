"""From data and a config to a job: `read` the table, then `prepare` it. Nothing is trained here.

Axis letters: N rows, D dimensions.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.codes.rows import PreparedTable, is_too_large
from jaxcompress.codes.scale import heavy_rows_note, scale_exponent
from jaxcompress.data.batches import Feed, hold_out_rows, shuffled
from jaxcompress.data.text.stdlib import STDLIB
from jaxcompress.data.vectors.files import Vectors, read_vectors
from jaxcompress.data.vectors.stdlib import stdlib_vectors
from jaxcompress.data.vectors.weights import normalize_weights, read_weights
from jaxcompress.dccl.config import EFFORTS, Config, DataConfig, ModelConfig
from jaxcompress.dccl.task import default_num_steps, make_optimizer, make_task, row_statistics
from jaxcompress.engine.job import Job
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.report import say
from jaxcompress.engine.steps import make_engine
from jaxcompress.errors import InputError, naming

_SAMPLE = 2048  # training rows whose errors are followed, and whose codes tell unused codewords
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


def read(config: Config, say: Callable[[str], None] = say) -> Source:
    """Reads the vectors and the weights that a config names.

    Args:
        config: of which `data` is read.
        say: takes what a user should know of the reading, a line each.

    Raises:
        InputError: if a file is missing or is not what was expected.
    """
    vectors = _read_vectors(config.data)
    for note in vectors.notes:
        say(f"note: {note}")
    if config.data.weights is None:
        return Source(vectors, None)
    weights, notes = read_weights(config.data.weights, len(vectors.rows), vectors.words)
    for note in notes:
        say(f"note: {note}")
    return Source(vectors, weights)


def _read_vectors(config: DataConfig) -> Vectors:
    if config.path != STDLIB:
        return read_vectors(config.path, tensor=config.tensor, max_rows=config.max_rows)
    vectors = stdlib_vectors()
    kept = slice(config.max_rows)
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
    with naming(source):
        train_ids, valid_ids = split_ids(len(rows), config)
        _check_enough_rows(len(train_ids), config.model.num_codewords)
        _check_groups(config.model, rows.shape[1])
    if weights is not None:
        weights = _scale_weights(weights, train_ids, valid_ids)
    batch_size = _fit_batch_size(config.batch_size, len(train_ids), jax.device_count(), say)
    num_steps = config.num_steps or default_num_steps(
        len(train_ids), batch_size, config.steps_per_dispatch, EFFORTS[config.effort].steps
    )
    exponent = scale_exponent(rows)
    if weights is None and (note := heavy_rows_note(rows)):
        say(f"note: {note}")
    statistics = row_statistics(rows, train_ids, exponent)
    task = make_task(config.model, statistics, num_steps, exponent)
    tx = make_optimizer(config.optimizer, num_steps)
    stream = is_too_large(rows) if config.data.stream is None else config.data.stream
    feed = shuffled(
        rows,
        train_ids,
        batch_size,
        config.seed,
        stream=stream,
        weights=weights,
        exponent=exponent,
    )
    engine = make_engine(config.parallel, batch_size, task, tx, feed.gather)
    data = () if stream else engine.place_data(rows)
    table = PreparedTable(
        rows=rows,
        weights=weights,
        is_training=np.isin(np.arange(len(rows)), valid_ids, invert=True),
        exponent=exponent,
        stream=stream,
        place=engine.place_shared,
        map=lambda function, state, index: engine.map(function, state, data, index),
        part=engine.part,
    )
    job = Job(
        task=task,
        tx=tx,
        engine=engine,
        data=data,
        feed=feed,
        evaluations=_make_evaluations(table, train_ids, valid_ids),
        config=config,
        num_steps=num_steps,
        best_metric=_best_metric(len(valid_ids) > 0, weights is not None),
    )
    return Problem(config, job, table)


def split_ids(num_rows: int, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Draws the rows to train on and those to hold out, by the seed.

    Args:
        num_rows: N.
        config: `data.valid_rows` and `seed` are read.

    Returns:
        Row ids to train on and to hold out, each int32 and ascending.

    Raises:
        InputError: if none are left to train on.
    """
    valid_rows = config.data.valid_rows
    if valid_rows is None:
        valid_rows = min(num_rows // 20, 1000)
    if not 0 <= valid_rows < num_rows:
        raise InputError(
            f"data.valid_rows is {valid_rows}; the table has {num_rows} rows and "
            "some must be left to train on."
        )
    return hold_out_rows(num_rows, valid_rows, config.seed)


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


def _scale_weights(weights: np.ndarray, train_ids: np.ndarray, valid_ids: np.ndarray) -> np.ndarray:
    """Scales weights to a mean of 1 over the rows that are trained on; float32 [N]."""
    scaled = normalize_weights(weights, train_ids)
    if len(valid_ids) and not scaled[valid_ids].any():
        raise InputError(
            f"the weights of all {len(valid_ids)} held-out rows are 0; hold out more "
            "(data.valid_rows), or none (0)."
        )
    return scaled


def _fit_batch_size(
    batch_size: int, num_trained: int, num_devices: int, say: Callable[[str], None]
) -> int:
    """Gives a batch size that the rows can fill and the devices can share.

    The default gives way to the number of devices; any other that they cannot share is an error of
    the engine, since somebody chose it.
    """
    if batch_size > num_trained:
        clipped = max(num_trained // num_devices, 1) * num_devices
        say(
            f"note: batch_size {batch_size} was clipped to {clipped}, for {num_trained} training "
            "rows."
        )
        return clipped
    shared = max(batch_size // num_devices, 1) * num_devices
    if shared == batch_size or batch_size != _DEFAULT_BATCH_SIZE:
        return batch_size
    say(
        f"note: batch_size is {shared}, since the default {batch_size} is no multiple of the "
        f"{num_devices} devices."
    )
    return shared


def _make_evaluations(
    table: PreparedTable, train_ids: np.ndarray, valid_ids: np.ndarray
) -> dict[str, Feed]:
    """Feeds a "sample" of training rows whose weight is not 0, and the "valid" rows if any."""
    counting = train_ids
    if table.weights is not None:
        counting = train_ids[table.weights[train_ids] > 0]
    spread = np.linspace(0, len(counting) - 1, min(len(counting), _SAMPLE))
    sampled = counting[spread.astype(np.int64)]
    evaluations = {"sample": table.batches(sampled)}
    if len(valid_ids):
        evaluations["valid"] = table.batches(valid_ids)
    return evaluations


def _best_metric(has_held_out_rows: bool, is_weighted: bool) -> str:
    rows = "valid" if has_held_out_rows else "sample"
    return f"{rows}_weighted_mean_squared_l2" if is_weighted else f"{rows}_mean_squared_l2"
