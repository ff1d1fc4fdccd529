"""Which size of codes is best for its bytes: sizes are trained shortly on a sample and compared.

The sample is drawn by the seed from the rows that the run trains on, so that the run's own held-out
rows have no part in the choice. Where the table has more than `sweep.num_rows` of them, a sixth of
the sample, at most 2,000 rows, is held out, and the error is that of held-out rows: neither the
encoder nor the codebooks are fitted to them, their codes are searched like those of any row. Where
it has no more, the sample is all of them, and the error is of the rows that were trained on.

Errors of a small sample are not those of the whole table, which has more rows to fit codebooks to:
they are there to be compared. The larger M*K is beside the sample, the more it is underrated.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.codes.bound import rate_distortion_bound
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.refine import refine_codes
from jaxcompress.codes.sizes import Size, at_bytes_per_row, within_target
from jaxcompress.data.batches import split_rows
from jaxcompress.dccl import prepare as dccl_prepare
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.prepare import Problem, prepare
from jaxcompress.engine.loop import fit
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write

_HELD_OUT = 2000  # at most


class Sample(NamedTuple):
    """Rows [n, D] of a table with their weights, if any, and how many are to be held out."""

    rows: np.ndarray
    weights: np.ndarray | None
    num_held_out: int


def plan(rows: np.ndarray, config: Config, say: Callable[[str], None] = print) -> list[Size]:
    """Lists the sizes to measure: those of `target_mb`, or else of `sweep.bytes_per_row`.

    Raises:
        InputError: where there are none, or the table and the config do not fit.
    """
    num_trained, _ = _sample_rows(
        len(dccl_prepare.split(len(rows), config)[0]), config.sweep.num_rows
    )
    codewords = config.sweep.num_codewords
    if config.target_mb is not None:
        sizes = within_target(config.target_mb, *rows.shape, codewords, num_trained)
        left_out = [k for k in codewords if k not in [size.num_codewords for size in sizes]]
        if left_out:
            say(
                f"note: no size of {', '.join(map(str, left_out))} codewords is tried: not one "
                "fits the target, or the sample's rows, or 1,024 codebooks."
            )
    else:
        found = at_bytes_per_row(config.sweep.bytes_per_row, codewords, num_trained)
        sizes = [size for size in found if _product(size) <= config.sweep.max_product]
        if len(sizes) < len(found):
            larger = ", ".join(str(size) for size in found if size not in sizes)
            say(f"note: left out for the time they take, by sweep.max_product: {larger}.")
        if not sizes:
            raise InputError(
                f"sweep.max_product is {config.sweep.max_product}, and every size is larger."
            )
    # What training would refuse is refused now, before anything is written.
    data = dataclasses.replace(config.data, stream=True)  # so nothing is placed
    _prepare_quietly(rows, dataclasses.replace(with_size(config, sizes[0]), data=data))
    return sizes


def _prepare_quietly(
    rows: np.ndarray, config: Config, weights: np.ndarray | None = None
) -> Problem:
    return prepare(rows, config, lambda line: None, weights)


def _product(size: Size) -> int:
    return size.num_codebooks * size.num_codewords


def _sample_rows(num_rows: int, wanted: int) -> tuple[int, int]:
    """How many of so many rows are trained on, and how many others are held out."""
    held_out = min(_HELD_OUT, num_rows // 6) if num_rows > wanted else 0
    return min(wanted, num_rows - held_out), held_out


def with_size(config: Config, size: Size) -> Config:
    """The config with a size in the place of its own, and of its target."""
    model = dataclasses.replace(config.model, **size._asdict())
    return dataclasses.replace(config, model=model, target_mb=None)


def take_sample(rows: np.ndarray, config: Config, weights: np.ndarray | None = None) -> Sample:
    """Draws the sample by the seed from the rows [N, D] that the run trains on."""
    train_ids, _ = dccl_prepare.split(len(rows), config)
    num_trained, num_held_out = _sample_rows(len(train_ids), config.sweep.num_rows)
    _, drawn = split_rows(len(train_ids), num_trained + num_held_out, config.seed)
    ids = train_ids[drawn]
    return Sample(rows[ids], None if weights is None else weights[ids], num_held_out)


def measure(sample: Sample, size: Size, config: Config) -> dict[str, float]:
    """Trains and refines codes of a size: `mean_squared_l2` and `relative_error`, as in `dccl`.

    They are of the held-out rows of the sample, or of all where none are; the first is weighted
    where rows are. `bound` is the least mean squared L2 of any code of as many bits on a Gaussian
    source with the sample's covariance; weighted errors have none.
    """
    config = dataclasses.replace(
        with_size(config, size),
        num_steps=config.sweep.num_steps,
        eval_every=None,
        data=dataclasses.replace(config.data, valid_rows=sample.num_held_out),
        refine=dataclasses.replace(config.refine, num_rounds=config.sweep.num_rounds),
    )
    problem = _prepare_quietly(sample.rows, config, sample.weights)
    fitted = fit(problem.job, show_progress=False)
    trained = to_codes(problem, fitted.state, None)
    codes = refine_codes(problem.table, trained, config.refine, seed=config.seed).codes
    errors = code_errors(problem.table, codes)
    errors = errors.get("valid", errors["all"])
    figures = {
        "mean_squared_l2": errors.get("weighted_mean_squared_l2", errors["mean_squared_l2"]),
        "relative_error": errors["relative_error"],
    }
    if sample.weights is None:
        figures["bound"] = rate_distortion_bound(sample.rows, size.bits_per_row)
    return figures


def measure_all(
    rows: np.ndarray,
    sizes: Sequence[Size],
    config: Config,
    path: Path,
    say: Callable[[str], None] = print,
    weights: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Measures the sizes that the file does not have yet, each kept in it as soon as it is there.

    Args:
        rows: [N, D], the whole table.
        sizes: of `plan`.
        config: the run's.
        path: a JSON file; where there is a target, also the size chosen is kept in it at last.
        say: takes a line for the user.
        weights: [N], or None.

    Returns:
        for each size its bytes for the whole table, and the figures of `measure`.
    """
    done = {_size(row): row for row in _read(path).get("sizes", ())}
    missing = [size for size in sizes if size not in done]
    if missing:
        sample = take_sample(rows, config, weights)
        say(
            f"measuring {len(missing)} of {len(sizes)} sizes on {len(sample.rows):,} rows, "
            f"{sample.num_held_out:,} of them held out: {config.sweep.num_steps:,} steps and "
            f"{config.sweep.num_rounds} rounds of refinement each"
        )
    for size in missing:
        started = time.perf_counter()
        done[size] = {
            **size._asdict(),
            "bits_per_row": size.bits_per_row,
            "bytes_per_row": size.bytes_per_row,
            "codebook_bytes": size.codebook_bytes(rows.shape[1]),
            "megabytes": size.num_bytes(*rows.shape) / 1e6,
            **measure(sample, size, config),
            "seconds": time.perf_counter() - started,
        }
        measured = [done[size] for size in sizes if size in done]
        is_choice = config.target_mb is not None and len(measured) == len(sizes)
        chosen = {"chosen": choose(measured)._asdict()} if is_choice else {}
        _write(path, {"sizes": measured, **chosen})
        say(
            f"{size}: mean squared L2 {done[size]['mean_squared_l2']:.5g}, "
            f"{done[size]['seconds']:.3g} s"
        )
    return [done[size] for size in sizes]


def choose(measured: Sequence[dict[str, Any]]) -> Size:
    """The size of least mean squared L2."""
    return _size(min(measured, key=lambda row: row["mean_squared_l2"]))


def chosen(path: Path) -> Size:
    """Reads the size that the sweep kept in `path` has chosen.

    Raises:
        InputError: where it has not come to that.
    """
    kept = _read(path)
    if "chosen" not in kept:
        raise InputError(f"no size is chosen yet for target_mb (in {path}); train first.")
    return _size(kept["chosen"])


def _size(row: dict[str, Any]) -> Size:
    return Size(row["num_codebooks"], row["num_codewords"])


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text()) if path.exists() else {}
    except ValueError:
        raise InputError(
            f"{path} is damaged; delete it, and its sizes are measured anew."
        ) from None


def _write(path: Path, kept: dict[str, Any]) -> None:
    if jax.process_index() == 0:
        with atomic_write(path) as partial:
            partial.write_text(json.dumps(kept, indent=2) + "\n")
