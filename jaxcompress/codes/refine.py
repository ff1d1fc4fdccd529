"""Refinement: better codes by search and better codebooks in closed form, in turn.

With the codebooks fixed, `search.py` improves the codes of each row; with the codes fixed,
`least_squares.py` solves for the codebooks, to which `noise.py` adds less and less. The size stays
as it is. This runs after training, on codes that anything made.

Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import contextlib
import dataclasses
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import flax.struct
import jax
import numpy as np

from jaxcompress.bars import tqdm
from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.config import RefineConfig, default_rounds
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.least_squares import (
    fit_codebooks,
    refine_batch,
    relaxation_of,
    weights_to_fit,
    zero_equations,
)
from jaxcompress.codes.noise import add_noise, noise_amount, noise_scale
from jaxcompress.codes.precision import exact_products
from jaxcompress.codes.rows import PreparedTable, with_codes
from jaxcompress.codes.search import (
    MAX_TABLED_CODEWORDS,
    default_search_steps,
    squared_errors,
)
from jaxcompress.engine.checkpoint import Checkpoints
from jaxcompress.engine.loop import fetch_one_behind
from jaxcompress.engine.own_settings import own_settings

FOLDER = "refinement"  # in a workdir: rounds of a refinement that is not finished
_ERROR = "error"  # the metric by which the best round is kept
_EVERY = 8  # rounds of which one is measured, before the last ones
_MAX_ERROR = sys.float_info.max  # that of codes whose error overflows or is NaN


@flax.struct.dataclass
class _Round:
    """What a round ends with: codes int [N, M] and codebooks [M, K, D]."""

    codes: jax.Array
    codebooks: jax.Array


class _Measured(NamedTuple):
    """Codes int [N, M] and codebooks [M, K, D] with their summed squared error."""

    error: float
    codes: np.ndarray
    codebooks: jax.Array


class Refined(NamedTuple):
    """Refined codes, and the seconds that this took over all parts of the run."""

    codes: Codes
    seconds: float


@own_settings
def refine_codes(
    table: PreparedTable,
    codes: Codes,
    config: RefineConfig,
    *,
    seed: int = 0,
    workdir: Path | None = None,
    label: str = "codes",
    say: Callable[[str], None] = print,
    show_progress: bool = False,
) -> Refined:
    """Takes rounds of local search for codes and closed-form codebooks.

    Codebooks are not fitted to rows that are held out; for these only codes are searched.

    After the last two rounds, and every eighth one before, the summed squared error (weighted, if
    the rows are) over the rows that codebooks are fitted to is measured. The result is what had the
    least error, the codes that were given included: it is never worse than these.

    Args:
        table: the rows.
        codes: codes of all of them, in their order.
        config: how many rounds, and how many steps of search in each.
        seed: the search's randomness.
        workdir: each round is saved in `WORKDIR/refinement/LABEL`, of which the last two and the
            best are kept; a run that was stopped goes on from there and ends with the same codes.
            None: nothing is saved.
        label: tells these codes from others that were refined in the same workdir.
        say: takes a line for the user.
        show_progress: whether to show a bar.
    """
    num_rounds = config.num_rounds
    if num_rounds is None:
        num_rounds = default_rounds(len(table.rows))
    if num_rounds == 0:
        return Refined(codes, 0.0)
    groups = codes.groups
    step = refine_batch(config.num_steps or default_search_steps(codes.num_codebooks), groups)
    scaled = np.ldexp(codes.codebooks, -table.exponent)
    state = table.place(_Round(codes.codes, scaled))
    best = _measure(table, codes.codes, state.codebooks, groups)
    is_finite = best.error < _MAX_ERROR  # else noise would be endless too
    mean_error = best.error / table.weight_to_fit() if is_finite else 0.0
    scale = noise_scale(state.codebooks, mean_error, groups)
    with _open_checkpoints(workdir, label) as checkpoints:
        first, seconds = 0, 0.0
        if checkpoints is not None and (restored := checkpoints.restore_latest(state)):
            first, state = restored.step, restored.state
            seconds = restored.progress["seconds"]
            say(f"resumed from round {first} of {num_rounds} of refinement")
            saved = checkpoints.restore_best(state).state
            saved_best = _measure(table, np.array(saved.codes), saved.codebooks, groups)
            best = min(best, saved_best, key=_error_of)
        found, codebooks = np.array(state.codes), state.codebooks
        _note_fixed_codebooks(codes, say)
        key, started = jax.random.key(seed), time.perf_counter() - seconds
        bar = tqdm(total=num_rounds, initial=first, unit="round", disable=not show_progress)
        with bar:
            for number in range(first, num_rounds):
                round_key = table.place(jax.random.fold_in(key, 2 + number))  # training has 0, 1
                equations = search(table, step, found, codebooks, round_key, groups)
                if equations:
                    relaxation = relaxation_of(number, num_rounds)
                    codebooks = fit_codebooks(equations, codebooks, relaxation, groups)
                    if relaxation != 1.0:
                        amount = noise_amount(number, num_rounds)
                        codebooks = add_noise(round_key, codebooks, scale, amount)
                # A copy, since `found` changes while this is saved; jax need not make one on CPU.
                figures, kept = None, found.copy()
                if _is_measured(number, num_rounds):
                    measured = _measure(table, kept, codebooks, groups)
                    best, figures = min(best, measured, key=_error_of), {_ERROR: measured.error}
                if checkpoints is not None:
                    progress = {"seconds": time.perf_counter() - started}
                    state = table.place(_Round(kept, codebooks))
                    checkpoints.save(number + 1, state, progress, figures)
                bar.update()
    codebooks = np.ldexp(np.asarray(best.codebooks), table.exponent)
    refined = dataclasses.replace(codes, codes=best.codes, codebooks=codebooks)
    return Refined(refined, time.perf_counter() - started)


def _is_measured(number: int, num_rounds: int) -> bool:
    """Tells whether a round's error is measured, which takes a tenth of the round's time.

    Rounds that go past the least-squares codebooks are not the best ones: of these few will do.
    """
    return relaxation_of(number, num_rounds) == 1.0 or number % _EVERY == _EVERY - 1


def _error_of(measured: _Measured) -> float:
    return measured.error


def _measure(
    table: PreparedTable, codes: np.ndarray, codebooks: jax.Array, groups: Groups | None
) -> _Measured:
    """Measures codes over the rows that codebooks may be fitted to.

    Args:
        table: the rows.
        codes: int [N, M], which are kept.
        codebooks: [M, K, D], as `table.place` gives them.
        groups: their layout.
    """
    feed = with_codes(table, codes)
    indices = map(feed.index, range(feed.num_batches))
    errors = _batch_error(groups)
    sums = fetch_one_behind(table.map(errors, codebooks, index) for index in indices)
    error = sum(map(float, sums))
    return _Measured(error if np.isfinite(error) else _MAX_ERROR, codes, codebooks)


@functools.lru_cache(maxsize=8)
def _batch_error(groups: Groups | None) -> Callable:
    @exact_products
    def run(codebooks: jax.Array, batch: dict) -> jax.Array:
        errors = squared_errors(batch["rows"], batch["codes"], codebooks, groups)
        return errors @ weights_to_fit(batch)

    return run


def _open_checkpoints(
    workdir: Path | None, label: str
) -> contextlib.AbstractContextManager[Checkpoints | None]:
    """Opens the rounds of these codes, to be closed at the end; None if there is no workdir."""
    if workdir is None:
        return contextlib.nullcontext()
    return contextlib.closing(Checkpoints(workdir, _ERROR, f"{FOLDER}/{label}"))


def _note_fixed_codebooks(codes: Codes, say: Callable[[str], None]) -> None:
    if not zero_equations(codes.codebooks, codes.groups):
        say(
            f"note: the codebooks stay as they are, and codes alone are refined: {codes} has more "
            f"than {MAX_TABLED_CODEWORDS:,} codewords in all."
        )


def search(
    table: PreparedTable,
    step: Callable,
    codes: np.ndarray,
    codebooks: jax.Array,
    key: jax.Array,
    groups: Groups | None = None,
) -> tuple:
    """Improves the codes of all rows in place.

    Args:
        table: the rows.
        step: as `refine_batch` makes it.
        codes: int [N, M], which are changed.
        codebooks: [M, K, D], as `table.place` gives them.
        key: the round's randomness; batch i gets `fold_in(key, i)`.
        groups: the layout of the codebooks.

    Returns:
        The normal equations of the codebooks for the new codes; () if they are too large.
    """
    feed, equations = with_codes(table, codes), table.place(zero_equations(codebooks, groups))

    def batches():
        nonlocal equations
        for i in range(feed.num_batches):
            state = codebooks, table.place(jax.random.fold_in(key, i)), equations
            equations, improved = table.map(step, state, feed.index(i))
            yield improved

    for i, improved in enumerate(fetch_one_behind(batches())):
        part = codes[i * feed.batch_size : (i + 1) * feed.batch_size]
        part[:] = improved[: len(part)]  # without the padding of the last batch
    return equations
