"""Refinement: better codes by search and better codebooks in closed form, in turn.

With the codebooks fixed, `search.py` improves the codes of each row; with the codes fixed,
`least_squares.py` solves for the codebooks, to which `noise.py` adds less and less. The size stays
as it is. This runs after training, on codes that anything made.

Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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
from jaxcompress.codes.placed import (
    PlacedCodes,
    as_given,
    copy,
    map_codes,
    place_codes,
    recode,
)
from jaxcompress.codes.precision import exact_products
from jaxcompress.codes.rows import PreparedTable
from jaxcompress.codes.search import (
    MAX_TABLED_CODEWORDS,
    default_search_steps,
    squared_errors,
)
from jaxcompress.engine.checkpoint import Checkpoints
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.placement import add_up_parts, to_host

FOLDER = "refinement"  # in a workdir: rounds of a refinement that is not finished
_ERROR = "error"  # the metric by which the best round is kept
_EVERY = 8  # rounds of which one is measured, before the last ones
_MOST_BYTES = 2**28  # of the equations of all parts, up to which every device has them all
_MAX_ERROR = sys.float_info.max  # that of codes whose error overflows or is NaN


@flax.struct.dataclass
class _Round:
    """What a round ends with: codes, as they are placed, and codebooks [M, K, D]."""

    codes: jax.Array
    codebooks: jax.Array


class _Measured(NamedTuple):
    """A round with its summed squared error."""

    error: float
    round: _Round


class Refined(NamedTuple):
    """Refined codes, as they were given, and the seconds of all parts of the run."""

    codes: Any
    seconds: float


@own_settings
def refine_codes(
    table: PreparedTable,
    codes: Codes | PlacedCodes,
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
    placed = place_codes(table, codes)
    groups, num_codebooks = placed.groups, len(placed.codebooks)
    step = refine_batch(config.num_steps or default_search_steps(num_codebooks), groups)
    scaled = np.ldexp(placed.codebooks, -table.exponent)
    state = _Round(placed.codes, table.place(scaled))
    best = _measure(table, state, groups)
    is_finite = best.error < _MAX_ERROR  # else noise would be endless too
    mean_error = best.error / table.weight_to_fit() if is_finite else 0.0
    if table.num_parts > 1:  # of an error the last digits hang on the number of devices
        mean_error = float(f"{mean_error:.3g}")
    scale = noise_scale(state.codebooks, mean_error, groups)
    with _open_checkpoints(workdir, label) as checkpoints:
        first, seconds = 0, 0.0
        if checkpoints is not None and (restored := checkpoints.restore_latest(state)):
            first, state = restored.step, restored.state
            seconds = restored.progress["seconds"]
            say(f"resumed from round {first} of {num_rounds} of refinement")
            saved = _measure(table, checkpoints.restore_best(state).state, groups)
            best = min(best, saved, key=_error_of)
        found, codebooks = copy(state.codes), state.codebooks
        _note_fixed_codebooks(placed, say)
        key, started = jax.random.key(seed), time.perf_counter() - seconds
        bar = tqdm(total=num_rounds, initial=first, unit="round", disable=not show_progress)
        with bar:
            for number in range(first, num_rounds):
                round_key = table.place(jax.random.fold_in(key, 2 + number))  # training has 0, 1
                found, equations = search(table, step, found, codebooks, round_key, groups)
                if equations:
                    if _num_bytes(equations) <= _MOST_BYTES:
                        equations = add_up_parts(equations, table.split)
                    relaxation = relaxation_of(number, num_rounds)
                    codebooks = fit_codebooks(equations, codebooks, relaxation, groups)
                    if relaxation != 1.0:
                        amount = noise_amount(number, num_rounds)
                        codebooks = add_noise(round_key, codebooks, scale, amount)
                # A copy, since the next search uses `found` up while this is saved.
                figures, state = None, _Round(copy(found), codebooks)
                if _is_measured(number, num_rounds):
                    measured = _measure(table, state, groups)
                    best, figures = min(best, measured, key=_error_of), {_ERROR: measured.error}
                if checkpoints is not None:
                    progress = {"seconds": time.perf_counter() - started}
                    checkpoints.save(number + 1, state, progress, figures)
                bar.update()
    codebooks = np.ldexp(to_host(best.round.codebooks), table.exponent)
    refined = placed._replace(codes=best.round.codes, codebooks=codebooks)
    return Refined(as_given(table, codes, refined), time.perf_counter() - started)


def _is_measured(number: int, num_rounds: int) -> bool:
    """Tells whether a round's error is measured, which takes a tenth of the round's time.

    Rounds that go past the least-squares codebooks are not the best ones: of these few will do.
    """
    return relaxation_of(number, num_rounds) == 1.0 or number % _EVERY == _EVERY - 1


def _error_of(measured: _Measured) -> float:
    return measured.error


def _measure(table: PreparedTable, state: _Round, groups: Groups | None) -> _Measured:
    """Measures a round over the rows that codebooks may be fitted to."""
    run = _batch_error(groups, table.num_parts > 1)
    errors = map_codes(table, run, state.codebooks, state.codes)
    error = sum(float(some.sum(dtype=np.float64)) for some in errors)
    return _Measured(error if np.isfinite(error) else _MAX_ERROR, state)


@functools.lru_cache(maxsize=8)
def _batch_error(groups: Groups | None, is_of_rows: bool) -> Callable:
    """Makes the error of a batch: of each row, which the host adds up in one order, or of all."""

    @exact_products
    def run(codebooks: jax.Array, batch: dict) -> jax.Array:
        errors = squared_errors(batch["rows"], batch["codes"], codebooks, groups)
        weights = weights_to_fit(batch)
        return errors * weights if is_of_rows else errors @ weights

    return run


def _open_checkpoints(
    workdir: Path | None, label: str
) -> contextlib.AbstractContextManager[Checkpoints | None]:
    """Opens the rounds of these codes, to be closed at the end; None if there is no workdir."""
    if workdir is None:
        return contextlib.nullcontext()
    return contextlib.closing(Checkpoints(workdir, _ERROR, f"{FOLDER}/{label}"))


def _note_fixed_codebooks(codes: PlacedCodes, say: Callable[[str], None]) -> None:
    if not zero_equations(codes.codebooks, codes.groups):
        shape = " x ".join(f"{n:,}" for n in codes.codebooks.shape[:2])
        say(
            f"note: the codebooks stay as they are, and codes alone are refined: {shape} are more "
            f"than {MAX_TABLED_CODEWORDS:,} codewords in all."
        )


def _num_bytes(equations: tuple[Any, ...]) -> int:
    return sum(part.nbytes for part in equations)


def search(
    table: PreparedTable,
    step: Callable,
    codes: jax.Array,
    codebooks: jax.Array,
    key: jax.Array,
    groups: Groups | None = None,
) -> tuple[jax.Array, tuple]:
    """Improves the codes of all rows.

    Args:
        table: the rows.
        step: as `refine_batch` makes it.
        codes: of a `PlacedCodes`, which are used up.
        codebooks: [M, K, D], as `table.place` gives them.
        key: the round's randomness, placed as they are; batch i gets `fold_in(key, i)`.
        groups: the layout of the codebooks.

    Returns:
        The new codes, and the normal equations of the codebooks for them, of parts of the rows; ()
        if they are too large.
    """
    zeros = zero_equations(codebooks, groups, table.num_parts)
    if _num_bytes(zeros) > _MOST_BYTES:
        zeros = zero_equations(codebooks, groups, table.split.num_devices)
    equations = table.place(zeros, table.split)
    return recode(table, step, codes, equations, (codebooks, key))
