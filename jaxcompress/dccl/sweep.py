"""The error of codes over their size: sizes are trained shortly on a sample and compared.

The sample is drawn by the seed from the rows that the run trains on, so that the run's own held-out
rows have no part in it. If the table has more than `sweep.num_rows` of them, a sixth, at
most 2,000 rows, is held out, and errors are those of held-out rows: neither the encoder nor the
codebooks are fitted to them, and their codes are searched like those of any row. If it has no more,
the sample is all of them, and errors are those of the rows that were trained on.

Errors of a small sample differ from those of the whole table, which has more rows to fit codebooks
to: they are made to be compared. The larger M*K is beside the sample, the more it is underrated.

Axis letters: N rows of the table, n rows of the sample, D dimensions, M codebooks, K codewords.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.codes.bound import rate_distortion_bound
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.refine import refine_codes
from jaxcompress.codes.sizes import Size, at_bytes_per_row
from jaxcompress.data.batches import hold_out_rows
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.prepare import Problem, Source, prepare, split_ids
from jaxcompress.engine.loop import fit
from jaxcompress.engine.report import say, write_json
from jaxcompress.errors import InputError
from jaxcompress.storage.json_files import read_json

_MAX_HELD_OUT = 2000  # rows


class Sample(NamedTuple):
    """Rows of a table that sizes are compared on.

    Attributes:
        rows: float [n, D].
        weights: [n]; None: all rows count alike.
        num_held_out: how many of them are not trained on.
    """

    rows: np.ndarray
    weights: np.ndarray | None
    num_held_out: int


def plan(rows: np.ndarray, config: Config, say: Callable[[str], None] = say) -> list[Size]:
    """Lists the sizes to measure, those of `sweep.bytes_per_row`.

    Args:
        rows: float [N, D], the whole table.
        config: the run's.
        say: takes a line for the user.

    Raises:
        InputError: if there are none, or if training would refuse the table or the config, so that
            it is refused before anything is written.
    """
    num_trained, _ = _sample_counts(len(split_ids(len(rows), config)[0]), config.sweep.num_rows)
    sizes = _sizes_of_curve(num_trained, config, say)
    data = dataclasses.replace(
        config.data, stream=True, shard=False
    )  # so that nothing is placed on a device
    _prepare_quietly(rows, dataclasses.replace(with_size(config, sizes[0]), data=data))
    return sizes


def _sizes_of_curve(num_trained: int, config: Config, say: Callable[[str], None]) -> list[Size]:
    """Lists the sizes of `sweep.bytes_per_row`, and notes those over `sweep.max_product`."""
    sweep = config.sweep
    found = at_bytes_per_row(sweep.bytes_per_row, sweep.num_codewords, num_trained)
    sizes = [s for s in found if s.num_codebooks * s.num_codewords <= sweep.max_product]
    if len(sizes) < len(found):
        larger = ", ".join(str(size) for size in found if size not in sizes)
        say(f"note: left out for the time they take, by sweep.max_product: {larger}.")
    if not sizes:
        raise InputError(f"sweep.max_product is {sweep.max_product}, and every size is larger.")
    return sizes


def _prepare_quietly(
    rows: np.ndarray, config: Config, weights: np.ndarray | None = None
) -> Problem:
    return prepare(rows, config, weights, say=lambda line: None)


def _sample_counts(num_rows: int, wanted: int) -> tuple[int, int]:
    """Tells how many of `num_rows` rows are trained on, and how many others are held out.

    >>> [_sample_counts(num_rows, 10_000) for num_rows in (9_000, 11_000, 400_000)]
    [(9000, 0), (9167, 1833), (10000, 2000)]
    """
    held_out = min(_MAX_HELD_OUT, num_rows // 6) if num_rows > wanted else 0
    return min(wanted, num_rows - held_out), held_out


def with_size(config: Config, size: Size) -> Config:
    """Gives the config with a size in place of its own and of its target."""
    model = dataclasses.replace(config.model, **size._asdict(), codebooks_per_group=0)
    return dataclasses.replace(config, model=model, target_mb=None)


def take_sample(rows: np.ndarray, config: Config, weights: np.ndarray | None = None) -> Sample:
    """Draws the sample, by the seed, from the rows that the run trains on.

    Args:
        rows: float [N, D], the whole table.
        config: the run's.
        weights: [N]; None: all rows count alike.
    """
    train_ids, _ = split_ids(len(rows), config)
    num_trained, num_held_out = _sample_counts(len(train_ids), config.sweep.num_rows)
    _, drawn = hold_out_rows(len(train_ids), num_trained + num_held_out, config.seed)
    ids = train_ids[drawn]
    return Sample(rows[ids], None if weights is None else weights[ids], num_held_out)


def measure(sample: Sample, size: Size, config: Config) -> dict[str, float]:
    """Trains and refines codes of a size on a sample, and computes their errors.

    Returns:
        Of the held-out rows, or of all if none are: "mean_squared_l2", weighted if rows are, and
        "relative_error", the sum of squared errors by that of squared distances to the mean row;
        without weights also "bound", the least mean squared L2 of any code of as many bits on a
        Gaussian source with the sample's covariance.
    """
    config = dataclasses.replace(
        with_size(config, size),
        num_steps=config.sweep.num_steps,
        eval_every=None,
        data=dataclasses.replace(config.data, valid_rows=sample.num_held_out, shard=False),
        refine=dataclasses.replace(config.refine, num_rounds=config.sweep.num_rounds),
    )
    problem = _prepare_quietly(sample.rows, config, sample.weights)
    fitted = fit(problem.job, show_progress=False, keep_best=True)
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
    source: Source,
    sizes: Sequence[Size],
    config: Config,
    path: Path,
    say: Callable[[str], None] = say,
) -> list[dict[str, Any]]:
    """Measures the sizes that a file does not hold yet; each is written as soon as it is measured.

    Args:
        source: the whole table, and its weights.
        sizes: of `plan`.
        config: the run's.
        path: a JSON file.
        say: takes a line for the user.

    Returns:
        For each size, its bytes for the whole table and the figures of `measure`.
    """
    rows = source.vectors.rows
    done = {_size(row): row for row in _read(path).get("sizes", ())}
    missing = [size for size in sizes if size not in done]
    if missing:
        sample = take_sample(rows, config, source.weights)
        say(
            f"measuring {len(missing)} of {len(sizes)} sizes on {len(sample.rows):,} rows, "
            f"{sample.num_held_out:,} of them held out: {config.sweep.num_steps:,} steps and "
            f"{config.sweep.num_rounds} rounds of refinement each"
        )
    for size in missing:
        started = time.perf_counter()
        figures = {**_bytes_of(size, *rows.shape), **measure(sample, size, config)}
        done[size] = {**figures, "seconds": time.perf_counter() - started}
        measured = [done[size] for size in sizes if size in done]
        write_json(path, {"sizes": measured})
        say(
            f"{size}: mean squared L2 {done[size]['mean_squared_l2']:.5g}, "
            f"{done[size]['seconds']:.3g} s"
        )
    return [done[size] for size in sizes]


def _bytes_of(size: Size, num_rows: int, dim: int) -> dict[str, Any]:
    return {
        **size._asdict(),
        "bits_per_row": size.bits_per_row,
        "bytes_per_row": size.bytes_per_row,
        "codebook_bytes": size.codebook_bytes(dim),
        "megabytes": size.num_bytes(num_rows, dim) / 1e6,
    }


def _size(row: dict[str, Any]) -> Size:
    return Size(row["num_codebooks"], row["num_codewords"])


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    return read_json(path, "delete it, and its sizes are measured anew")
