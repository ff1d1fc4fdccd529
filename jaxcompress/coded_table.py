"""All rows of a table with their codes: refined, measured, a batch at a time.

Rows stream through the devices, so that any number of them can be refined.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from jaxcompress import dccl, loop, refinement
from jaxcompress.checkpoint import Checkpoints
from jaxcompress.compressed import Codes
from jaxcompress.data.batches import Feed, gather_rows, in_order
from jaxcompress.local_search import MAX_CODEWORDS, default_num_steps
from jaxcompress.lookup import sum_codewords
from jaxcompress.steps import make_mapper
from jaxcompress.task import PyTree

FOLDER = "refinement"  # in a workdir: the rounds of codes that are not done yet
_CPU_BATCH, _BATCH = 1024, 16_384  # rows at a time: on CPU what lies between the steps of a search
# should stay in the cache


class Table(NamedTuple):
    """The rows of a table, made ready for maps over all of them.

    Attributes:
        rows: float16 or float32 [N, D].
        weights: float32 [N]: how much each row counts; None: all alike.
        is_training: bool [N]: which rows codebooks may be fitted to.
        stream: whether rows are sent from the host with each batch.
        place: any pytree -> the same arrays on every device.
        map: `function, state, index -> function(state, batch)`, replicated.
    """

    rows: np.ndarray
    weights: np.ndarray | None
    is_training: np.ndarray
    stream: bool
    place: Callable[[PyTree], PyTree]
    map: Callable[..., PyTree]

    def batches(self, ids: np.ndarray) -> Feed:
        """The rows `ids` once, in order, in batches of a good size for all devices."""
        num_devices = jax.device_count()
        most = _CPU_BATCH if jax.default_backend() == "cpu" else _BATCH
        num_batches = -(-len(ids) // most)  # all of about one size: little of the last is padding
        size = -(-len(ids) // num_batches // num_devices) * num_devices
        return in_order(self.rows, ids, size, stream=self.stream, weights=self.weights)

    def everything(self) -> Feed:
        """All rows once, in order."""
        return self.batches(np.arange(len(self.rows), dtype=np.int32))


def is_too_large(rows: np.ndarray) -> bool:
    """Whether a table should stay on the host: over half of a device's memory, or on CPU any, where
    one that is placed is a second copy."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return True
    return rows.nbytes > (device.memory_stats() or {}).get("bytes_limit", float("inf")) / 2


def make_table(rows: np.ndarray, weights: np.ndarray | None = None) -> Table:
    """Makes a table of rows [N, D] and their weights [N] alone, without a method to train."""
    stream, mapper = is_too_large(rows), make_mapper(gather_rows)
    data = () if stream else mapper.place(rows)
    return Table(
        rows=rows,
        weights=weights,
        is_training=np.ones(len(rows), bool),
        stream=stream,
        place=mapper.place,
        map=lambda function, state, index: mapper.map(function, state, data, index),
    )


def _with_codes(table: Table, codes: np.ndarray) -> Feed:
    """All rows in order, with their codes, and whether codebooks may be fitted to them."""
    feed = table.everything()
    size = feed.batch_size

    def index(i: int) -> dict:
        rows = slice(i * size, (i + 1) * size)
        held = np.zeros((size, codes.shape[1]), codes.dtype)
        held[: len(codes[rows])] = codes[rows]
        fit_to = np.zeros(size, bool)
        fit_to[: len(codes[rows])] = table.is_training[rows]
        number = np.full(size, i, np.int32)
        return {**feed.index(i), "codes": held, "fit": fit_to, "batch_number": number}

    return feed._replace(index=index)


@flax.struct.dataclass
class _Round:
    """What a round of refinement leaves: codes int [N, M] and codebooks [M, K, D]."""

    codes: jax.Array
    codebooks: jax.Array


class Refined(NamedTuple):
    """Refined codes and the seconds that it took, over all parts of the run."""

    codes: Codes
    seconds: float


def refine_codes(
    table: Table,
    codes: Codes,
    config: dccl.RefineConfig,
    *,
    seed: int = 0,
    workdir: Path | None = None,
    label: str = "codes",
    say: Callable[[str], None] = print,
    show_progress: bool = False,
) -> Refined:
    """Takes rounds of local search and closed-form codebooks, as `refinement` has them.

    Rows to which codebooks are not fitted take part in the search for their codes alone.

    Args:
        table: the rows.
        codes: theirs.
        config: how many rounds, and steps of search in each.
        seed: of the search.
        workdir: where each round is kept, in `refinement/LABEL`, until the last one is done; a run
            that was stopped goes on from there, with the same codes at its end. None: nowhere.
        label: tells these codes from others that the workdir may have held.
        say: takes a line for the user.
        show_progress: whether to show a bar.
    """
    step = refinement.refine_batch(config.num_steps or default_num_steps(codes.num_codebooks))
    state = table.place(_Round(codes.codes, codes.codebooks))
    first, seconds, checkpoints = 0, 0.0, None
    if workdir is not None:
        checkpoints = Checkpoints(workdir, None, f"{FOLDER}/{label}")
        if restored := checkpoints.restore_latest(state):
            first, state = restored.step, restored.state
            seconds = restored.progress["seconds"]
            say(f"resumed from round {first} of {config.num_rounds} of refinement")
    found, codebooks = np.array(state.codes), state.codebooks
    if config.num_rounds and not refinement.no_equations(codebooks):
        say(
            f"note: the codebooks stay as they are, and codes alone are refined: {codes} has more "
            f"than {MAX_CODEWORDS:,} codewords in all."
        )
    key, started = jax.random.key(seed), time.perf_counter() - seconds
    bar = tqdm.tqdm(total=config.num_rounds, initial=first, unit="round", disable=not show_progress)
    try:
        for number in range(first, config.num_rounds):
            round_key = table.place(jax.random.fold_in(key, 2 + number))
            equations = search(table, step, found, codebooks, round_key)
            if equations:
                relaxation = refinement.relaxation_of(number, config.num_rounds)
                codebooks = refinement.solve_codebooks(*equations, codebooks, relaxation)
            if checkpoints is not None:
                progress = {"seconds": time.perf_counter() - started}
                checkpoints.save(number + 1, table.place(_Round(found, codebooks)), progress)
            bar.update()
    finally:
        bar.close()
        if checkpoints is not None:
            checkpoints.close()
    refined = dataclasses.replace(codes, codes=found, codebooks=np.asarray(codebooks))
    return Refined(refined, time.perf_counter() - started)


def search(
    table: Table, step: Callable, codes: np.ndarray, codebooks: jax.Array, key: jax.Array
) -> tuple:
    """Improves codes [N, M] in place, and gives the equations of the codebooks for them."""
    feed, equations = _with_codes(table, codes), table.place(refinement.no_equations(codebooks))

    def batches():
        nonlocal equations
        for i in range(feed.num_batches):
            equations, improved = table.map(step, (codebooks, key, equations), feed.index(i))
            yield improved

    for i, improved in enumerate(loop.a_dispatch_late(batches())):
        part = codes[i * feed.batch_size : (i + 1) * feed.batch_size]
        part[:] = improved[: len(part)]  # without the padding of the last one
    return equations


def code_errors(table: Table, codes: Codes) -> dict[str, dict[str, float]]:
    """Figures of hard codes over "all" rows, and over those held out, if any, as "valid"."""
    totals: dict[str, dict] = {"all": {}, "valid": {}}
    center = codes.codebooks.mean(axis=1).sum(axis=0)
    state, feed = table.place((codes.codebooks, center)), _with_codes(table, codes.codes)
    indices = map(feed.index, range(feed.num_batches))
    for parts in loop.a_dispatch_late(table.map(_error_sums, state, i) for i in indices):
        for name, sums in parts.items():
            loop.add_sums(totals[name], sums)
    totals["all"]["usage"] = np.stack(
        [np.bincount(column, minlength=codes.num_codewords) for column in codes.codes.T]
    )
    return {name: dccl.error_metrics(sums) for name, sums in totals.items() if sums["count"]}


def _error_sums(state: tuple, batch: dict) -> dict:
    codebooks, center = state
    decoded = sum_codewords(codebooks, batch["codes"])
    mask = batch["mask"].astype(jnp.float32)
    held_out = mask * (1.0 - batch["fit"].astype(jnp.float32))
    weights = batch.get("weights")
    return {
        "all": dccl.error_sums(batch["rows"], decoded, mask, center, weights),
        "valid": dccl.error_sums(batch["rows"], decoded, held_out, center, weights),
    }
