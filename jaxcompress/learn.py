"""From a table and a config to codes: what `compress` and `python -m train.dccl` share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxcompress import dccl, loop
from jaxcompress.compressed import Codes
from jaxcompress.data.batches import Feed, in_order, shuffled, split_rows
from jaxcompress.errors import InputError
from jaxcompress.steps import Engine, make_engine
from jaxcompress.task import PyTree, Task, TrainState

_EVAL_BATCH = 4096  # rows an evaluation takes at a time
_SAMPLE = 2048  # training rows that tell how well training goes, and which codewords are used


class Problem(NamedTuple):
    """A table and a config, made ready for the loop."""

    config: dccl.Config
    task: Task
    tx: optax.GradientTransformation
    engine: Engine
    data: PyTree
    feed: Feed
    evaluations: Mapping[str, Feed]
    everything: Feed
    num_rows: int
    num_steps: int

    @property
    def best_metric(self) -> str:
        """The figure by which the best checkpoint is kept: of held-out rows, if there are any."""
        name = "valid" if "valid" in self.evaluations else "train"
        return f"{name}_mean_squared_l2"


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
    feed_kwargs = {
        "stream": config.data.stream
        or (config.data.stream is None and rows.nbytes > _device_bytes() / 2)
    }
    feed = shuffled(rows, train_ids, batch_size, config.seed, **feed_kwargs)
    engine = make_engine(config.parallel, batch_size, task, tx, feed.gather)

    def in_batches(ids: np.ndarray) -> Feed:
        per_device = min(_EVAL_BATCH, len(ids)) // num_devices + 1
        return in_order(rows, ids, per_device * num_devices, **feed_kwargs)

    evaluations = {"train": in_batches(train_ids[:: max(1, len(train_ids) // _SAMPLE)][:_SAMPLE])}
    if valid_rows:
        evaluations["valid"] = in_batches(valid_ids)
    return Problem(
        config=config,
        task=task,
        tx=tx,
        engine=engine,
        data=() if feed_kwargs["stream"] else engine.place_data(rows),
        feed=feed,
        evaluations=evaluations,
        everything=in_batches(np.arange(len(rows), dtype=np.int32)),
        num_rows=len(rows),
        num_steps=num_steps,
    )


def _device_bytes() -> float:
    """Memory of one device, in bytes; infinite where it shares the host's, as on CPU."""
    device = jax.local_devices()[0]
    limit = (device.memory_stats() or {}).get("bytes_limit") if device.platform != "cpu" else None
    return limit or float("inf")


def to_codes(
    problem: Problem,
    state: TrainState,
    words: Sequence[str] | None,
    metadata: Mapping[str, str] | None = None,
) -> Codes:
    """Encodes every row with a trained state."""
    codes = loop.map_rows(
        dccl.encode, problem.engine, state, problem.data, problem.everything, problem.num_rows
    )
    params, aux = jax.device_get((state.params, state.aux))
    return Codes(
        codes,
        dccl.export_codebooks(params, aux),
        words,
        dccl.export_encoder(params, aux),
        metadata or {},
    )


def fit(problem: Problem, **kwargs: Any) -> loop.Fitted:
    """Runs the loop on a problem; `kwargs` are those of `loop.fit`."""
    return loop.fit(
        problem.task,
        problem.tx,
        problem.engine,
        problem.data,
        problem.feed,
        problem.evaluations,
        problem.config,
        problem.num_steps,
        best_metric=problem.best_metric,
        **kwargs,
    )
