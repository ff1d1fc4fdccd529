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
import numpy as np
import tqdm

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.config import RefineConfig
from jaxcompress.codes.least_squares import (
    no_equations,
    refine_batch,
    relaxation_of,
    solve_codebooks,
)
from jaxcompress.codes.rows import Table, with_codes
from jaxcompress.codes.search import MAX_TABLED_CODEWORDS, default_search_steps
from jaxcompress.engine.checkpoint import Checkpoints
from jaxcompress.engine.loop import fetch_one_behind

FOLDER = "refinement"  # in a workdir: the rounds of codes that are not done yet


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
    config: RefineConfig,
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
    step = refine_batch(config.num_steps or default_search_steps(codes.num_codebooks))
    state = table.place(_Round(codes.codes, codes.codebooks))
    first, seconds, checkpoints = 0, 0.0, None
    if workdir is not None:
        checkpoints = Checkpoints(workdir, None, f"{FOLDER}/{label}")
        if restored := checkpoints.restore_latest(state):
            first, state = restored.step, restored.state
            seconds = restored.progress["seconds"]
            say(f"resumed from round {first} of {config.num_rounds} of refinement")
    found, codebooks = np.array(state.codes), state.codebooks
    if config.num_rounds and not no_equations(codebooks):
        say(
            f"note: the codebooks stay as they are, and codes alone are refined: {codes} has more "
            f"than {MAX_TABLED_CODEWORDS:,} codewords in all."
        )
    key, started = jax.random.key(seed), time.perf_counter() - seconds
    bar = tqdm.tqdm(total=config.num_rounds, initial=first, unit="round", disable=not show_progress)
    try:
        for number in range(first, config.num_rounds):
            round_key = table.place(jax.random.fold_in(key, 2 + number))
            equations = search(table, step, found, codebooks, round_key)
            if equations:
                relaxation = relaxation_of(number, config.num_rounds)
                codebooks = solve_codebooks(*equations, codebooks, relaxation)
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
    feed, equations = with_codes(table, codes), table.place(no_equations(codebooks))

    def batches():
        nonlocal equations
        for i in range(feed.num_batches):
            equations, improved = table.map(step, (codebooks, key, equations), feed.index(i))
            yield improved

    for i, improved in enumerate(fetch_one_behind(batches())):
        part = codes[i * feed.batch_size : (i + 1) * feed.batch_size]
        part[:] = improved[: len(part)]  # without the padding of the last one
    return equations
