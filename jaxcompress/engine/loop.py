"""The training loop. It knows no method by name.

What step `s` does is a function of the seed and of `s` alone, so that a resumed run equals an
uninterrupted one. Nothing waits for the device but evaluations: figures of a dispatch are fetched
while the next one runs.
"""

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.data.batches import Feed
from jaxcompress.engine.checkpoint import Checkpoints
from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.figures import Figures, Seen
from jaxcompress.engine.job import Fitted, Job
from jaxcompress.engine.log import MetricsLog
from jaxcompress.engine.memory import BestInMemory
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.stopping import StopRequests, stop_requests
from jaxcompress.engine.task import PyTree, TrainState, unchanged
from jaxcompress.errors import InputError, Stopped


@own_settings
def init_state(job: Job) -> TrainState:
    """Makes the state of step 0, a function of the seed alone, as `evaluate` takes it."""
    task, engine, seed = job.task, job.engine, job.config.seed

    def init():
        params, aux = task.init(jax.random.fold_in(jax.random.key(seed), 0))
        carry = task.init_carry(job.feed.batch_size)
        return TrainState(jnp.int32(0), params, job.tx.init(params), aux, carry)

    return engine.global_state(engine.place_state(jax.jit(init)()))


@own_settings
def evaluate(job: Job, state: TrainState, feed: Feed) -> dict:
    """Adds up the task's sums over all batches of a feed, in float64 on the host.

    Recurrent state starts at zero and goes on from batch to batch.
    """
    carry = job.engine.place_shared(job.task.init_carry(feed.batch_size))
    state, part = state.replace(opt_state=(), carry=carry), job.engine.mapper.part(feed.batch_size)

    def batches(state):
        for i in range(feed.num_batches):
            carry, sums = job.engine.map(
                _evaluate_batch(job.task.evaluate), state, job.data, feed.index(i, part)
            )
            state = state.replace(carry=carry)
            yield sums

    totals: dict[str, np.ndarray] = {}
    for sums in fetch_one_behind(batches(state)):
        add_sums(totals, sums)
    return totals


@own_settings
def restore_best(job: Job, workdir: str | os.PathLike) -> Fitted:
    """Takes the best state that the run in `workdir` has reached so far.

    Seconds and steps are those of the whole run until now, not of its best state.

    Raises:
        InputError: if there is none.
    """
    checkpoints = Checkpoints(workdir, job.best_metric)
    restored = checkpoints.restore_best(init_state(job))
    if restored is None:
        checkpoints.close()
        raise InputError(f"workdir {workdir} has no checkpoint yet; train first.")
    step, progress = checkpoints.reached() or (restored.step, restored.progress)
    checkpoints.close()
    return Fitted(restored.state, progress["train_seconds"], step)


def add_sums(totals: dict[str, np.ndarray], sums: Mapping[str, np.ndarray]) -> None:
    """Adds `sums` to `totals`, in place and in float64."""
    for name, value in sums.items():
        totals[name] = totals.get(name, 0.0) + np.asarray(value, np.float64)


@functools.lru_cache(maxsize=8)
def _evaluate_batch(evaluate: Callable) -> Callable:
    def run(state, batch):
        return evaluate(state.params, state.aux, state.carry, batch)

    return run


def fetch_one_behind(outputs: Iterable[PyTree]) -> Iterator[PyTree]:
    """Yields each of the outputs on the host once the next one is dispatched."""
    late = None
    for output in outputs:
        if late is not None:
            yield jax.device_get(late)
        late = output
    if late is not None:
        yield jax.device_get(late)


@own_settings
def map_rows(function: Callable, job: Job, state: PyTree, feed: Feed, num_rows: int) -> np.ndarray:
    """Applies `state, batch -> [B, ...]` to all batches: NumPy [num_rows, ...]."""
    own = job.engine.mapper.part(feed.batch_size)
    indices = (feed.index(i, own) for i in range(feed.num_batches))
    outputs = (job.engine.map(function, state, job.data, index) for index in indices)
    out, start = None, 0
    for rows in fetch_one_behind(outputs):
        if out is None:
            out = np.empty((num_rows, *rows.shape[1:]), rows.dtype)
        rows = rows[: num_rows - start]
        out[start : start + len(rows)] = rows
        start += len(rows)
    return out


@own_settings
def fit(
    job: Job,
    *,
    workdir: str | os.PathLike | None = None,
    say: Callable[[str], None] = print,
    show_progress: bool = True,
    keep_best: bool = False,
) -> Fitted:
    """Trains to `job.num_steps`, from the last checkpoint of `workdir` if there is one.

    Args:
        job: what to run.
        workdir: the folder of checkpoints and metrics; None: nothing is written or restored.
        say: takes a line for the user.
        show_progress: whether to show a bar.
        keep_best: whether a run without a workdir keeps its best state, in memory.

    Raises:
        Diverged: if a loss is not finite, or the validation has run away; with the step.
        Stopped: after Ctrl-C or SIGTERM, with the state saved; without a workdir nothing can be
            saved, and a signal acts as it does in any other program.
    """
    start = _Start(0, init_state(job), 0.0, Seen())
    checkpoints: Checkpoints | BestInMemory | None = None
    if workdir is not None:
        checkpoints = Checkpoints(workdir, job.best_metric)
        if restored := checkpoints.restore_latest(start.state):
            progress = restored.progress
            seen = Seen(*progress.get("seen", ()))  # which earlier checkpoints lack
            start = _Start(restored.step, restored.state, progress["train_seconds"], seen)
            if start.step < job.num_steps:
                say(f"resumed from step {start.step:,} of {job.num_steps:,}")
    elif keep_best:
        checkpoints = BestInMemory(job.best_metric)
    log = _open_log(job, workdir, start.step, show_progress)
    try:
        with stop_requests(can_save=workdir is not None) as stop:
            figures = Figures(job, log, say, start.seen)
            fitted = _take_steps(job, start, checkpoints, figures, stop)
        if stop.asked(wait=True):  # in the last evaluation, or after it
            raise Stopped(_stopped_at(job.num_steps, job))
        return fitted
    finally:
        log.close()
        if checkpoints is not None:
            checkpoints.close()


class _Start(NamedTuple):
    """Where a run goes on: step and state, seconds of training and figures seen until then."""

    step: int
    state: TrainState
    seconds: float
    seen: Seen


def _take_steps(
    job: Job,
    start: _Start,
    checkpoints: Checkpoints | BestInMemory | None,
    figures: Figures,
    stop: StopRequests,
) -> Fitted:
    """The loop itself: dispatches, evaluations, checkpoints."""
    task, engine, run, num_steps = job.task, job.engine, job.config, job.num_steps
    step, state, seconds, _ = start
    eval_every = _evaluation_period(run, num_steps)
    key = jax.random.fold_in(jax.random.key(run.seed), 1)
    started = time.perf_counter() - seconds
    # A checkpoint holds the state that was evaluated, before the method changed it.
    if 0 < step < num_steps and step % eval_every == 0 and task.after_eval is not unchanged:
        state = _change(job, state, step, key, _evaluate_all(job, state, step))
    state, pending = engine.place_state(state), None
    while step < num_steps:
        end = min(num_steps, _dispatch_end(step, run.steps_per_dispatch, eval_every))
        index = stack([job.feed.index(s, engine.own_part()) for s in range(step, end)])
        state, metrics = engine.train(state, job.data, index, key)
        if pending is not None:  # of the dispatch before, which is done by now
            figures.of_steps(*pending)
        pending = (step, metrics)
        step = end
        at_eval = step % eval_every == 0 or step == num_steps
        if not at_eval and not stop.asked():
            continue
        figures.of_steps(*pending)
        pending, current, found = None, engine.global_state(state), None
        if at_eval:
            sums = _evaluate_all(job, current, step)
            found = figures.of_evaluation(sums, step)
        seconds = time.perf_counter() - started
        if checkpoints is not None:
            progress = {"train_seconds": seconds, "seen": figures.seen}
            checkpoints.save(step, current, progress, found if step >= job.best_from else None)
        if stop.asked(wait=True):
            raise Stopped(_stopped_at(step, job))  # once the caller has waited for the checkpoint
        if at_eval and step < num_steps and task.after_eval is not unchanged:
            state = engine.place_state(_change(job, current, step, key, sums))
    final = engine.global_state(state)
    jax.block_until_ready(final)
    if checkpoints is not None and (best := checkpoints.restore_best(final)):
        final = best.state
    return Fitted(final, seconds, num_steps)


def _stopped_at(step: int, job: Job) -> str:
    return f"stopped at step {step:,} of {job.num_steps:,}"


def _evaluation_period(run: RunConfig, num_steps: int) -> int:
    """Steps between evaluations: as configured, or about a tenth of all, in whole dispatches."""
    return run.eval_every or _next(min(999, num_steps // 10), run.steps_per_dispatch)


def _open_log(job: Job, workdir: str | os.PathLike | None, step: int, show: bool) -> MetricsLog:
    units = job.feed.units or job.feed.batch_size
    return MetricsLog(workdir, job.num_steps, step, units, unit=job.feed.unit, show=show)


def _evaluate_all(job: Job, state: TrainState, step: int) -> dict[str, dict]:
    """The sums of all evaluations, by name."""
    feeds = job.evaluations.items()
    return {n: evaluate(job, state, f if isinstance(f, Feed) else f(step)) for n, f in feeds}


def _change(job: Job, state: TrainState, step: int, key: jax.Array, sums: dict) -> TrainState:
    """What the method makes of an evaluation. A resumed run evaluates again and does the same."""
    key = jax.random.fold_in(key, job.num_steps + step)
    params, aux = _after_eval(job.task.after_eval)(step, key, state.params, state.aux, sums)
    return state.replace(params=params, aux=aux)


def _next(step: int, every: int) -> int:
    """The first multiple of `every` after `step`."""
    return (step // every + 1) * every


def _dispatch_end(step: int, steps_per_dispatch: int, eval_every: int) -> int:
    """Where the dispatch that begins at `step` ends, a function of steps alone.

    Dispatches are counted from the last evaluation on, so that there are two lengths of them, each
    compiled once.
    """
    since = step % eval_every
    return step - since + min(eval_every, _next(since, steps_per_dispatch))


def stack(indices: list[PyTree]) -> PyTree:
    """Stacks the indices of successive steps, for one dispatch: leading axis = steps."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *indices)


@functools.lru_cache(maxsize=8)
def _after_eval(after_eval: Callable) -> Callable:
    return jax.jit(after_eval)
