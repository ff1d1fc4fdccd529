"""The page of a run: what became how small at what error, and what codes did to the rows.

Axis letters: N rows, D dimensions, M codebooks, K codewords.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxcompress.codes.bound import covariance, water_filling
from jaxcompress.codes.checkpoint import load_artefact
from jaxcompress.codes.integers import quantize
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.prepare import read
from jaxcompress.dccl.report_rows import (
    NEIGHBOURS,
    Run,
    Sample,
    neighbours,
    row_errors,
    usage,
    word_map,
)
from jaxcompress.dccl.sweep_report import sweep_panel
from jaxcompress.engine.origin import read_origin
from jaxcompress.engine.page.charts import Curve, Panel, lines, to_svg
from jaxcompress.engine.page.curves import panels_of_run
from jaxcompress.engine.page.page import (
    REPORT,
    Page,
    Picture,
    Section,
    Table,
    read_summary,
    write_page,
)
from jaxcompress.engine.page.sections import learning_curves
from jaxcompress.engine.page.text import percent, show_bytes
from jaxcompress.engine.workdir import read_config
from jaxcompress.storage.places import reachable

_INTEGER_ROWS, _INTEGER_BITS, _INTEGER_GROUP = 512, (2, 3, 4, 6), 64


def write_report(workdir: str | os.PathLike) -> Path:
    """Writes `WORKDIR/report.html` of a finished run anew; returns the file.

    Raises:
        InputError: if there is no run, it is not finished, or its table is not where it was.
    """
    path = reachable(workdir)
    config = read_config(path, Config)
    codes, summary = load_artefact(path), read_summary(path)
    vectors = read(config, lambda line: None).vectors
    run = Run(path, config, vectors, codes, summary)
    return write_page(path / REPORT, lambda: make_page(run))


def make_page(run: Run) -> Page:
    """Makes the page of a run."""
    sample = Sample(run)
    return Page(
        kind="Embedding table compressed · DCCL",
        title=_title(run),
        lead=_lead(run, sample),
        tiles=_tiles(run, sample),
        sections=list(_sections(run, sample)),
        origin=read_origin(run.workdir),
    )


def _title(run: Run) -> str:
    name = Path(run.vectors.source).name or run.vectors.source
    return f"{name}: {run.codes.num_rows:,} rows × {run.codes.dim}, {_times(run)} times smaller"


def _times(run: Run) -> str:
    ratio = run.codes.compression_ratio()
    return f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.1f}"


def _lead(run: Run, sample: Sample) -> str:
    codes, share = run.codes, run.summary["relative_error"]
    before = 4 * codes.num_rows * codes.dim
    return (
        f"{show_bytes(before)} of float32 became {show_bytes(codes.num_bytes())}: "
        f"{-(-codes.bits_per_row // 8)} bytes of codes a row instead of {4 * codes.dim:,}, and "
        f"{show_bytes(codes.codebook_bytes)} of codebooks. What is lost is {percent(share)} of the "
        "variance of the rows."
    )


def _tiles(run: Run, sample: Sample) -> dict[str, str]:
    codes, summary = run.codes, run.summary
    tiles = {
        "times smaller, codebooks counted": _times(run),
        "codes and codebooks": show_bytes(codes.num_bytes()),
        "mean squared error": f"{summary['mean_squared_l2']:.4g}",
        "of the variance is lost": percent(summary["relative_error"]),
        f"of the {NEIGHBOURS} nearest neighbours are the same": percent(
            sample.kept_neighbours(), 0
        ),
    }
    if "valid_relative_error" in summary:
        tiles["is lost of rows held out"] = percent(summary["valid_relative_error"])
    return tiles


def _sections(run: Run, sample: Sample) -> Iterator[Section]:
    yield _error_curve(run, sample)
    yield neighbours(run)
    yield word_map(run, sample)
    yield row_errors(sample)
    yield usage(run.codes)
    if (panel := sweep_panel(run.workdir)) is not None:
        yield Section(
            "Sizes tried by --mode sweep",
            "Errors of short runs on a sample of the rows, by the bytes of a row's codes alone.",
            [Picture(to_svg(lines(panel, 520, 320), "Errors of the sizes of a sweep"))],
        )
    yield learning_curves(panels_of_run(run.workdir))


def _error_curve(run: Run, sample: Sample) -> Section:
    """Error over all bytes of a row: this run, the bound, integers."""
    codes, rows = run.codes, sample.before
    here = codes.num_bytes() / codes.num_rows, float(run.summary["mean_squared_l2"])
    variances = np.linalg.eigvalsh(covariance(rows))
    some = rows[np.unique(np.linspace(0, len(rows) - 1, _INTEGER_ROWS).astype(int))]
    integers = []
    for bits in _INTEGER_BITS:
        rounded = quantize(some, bits, min(_INTEGER_GROUP, codes.dim))
        error = float(np.square(rounded.decoded - some).sum(axis=1).mean())
        integers.append((rounded.num_bytes / len(some), error))
    reach = np.geomspace(min(4.0, here[0] / 2), max(here[0], integers[-1][0]), 60)
    bound = [(n, water_filling(variances, 8 * n)) for n in reach]
    curves = {
        "this run": Curve([here], "star", "accent"),
        "integers of 2, 3, 4 and 6 bits": Curve(integers, "points", "blue"),
        "Gaussian bound": Curve(bound, "dashed", "ink"),
    }
    panel = error_panel(curves)
    return Section(
        "Error and bytes",
        "All bytes over all rows: codebooks are counted. The bound is the least error of any code "
        "of so many bits for Gaussian rows of the same covariance; codebooks that are fitted to "
        f"few rows may go below it. The integers have a float16 scale for each {_INTEGER_GROUP} "
        f"numbers. Bound and integers are of {sample.rows}.",
        [Picture(to_svg(lines(panel, 520, 320), "Error over bytes of a row"))],
        [_bytes_table(run)],
    )


def error_panel(curves: dict[str, Curve], title: str = "") -> Panel:
    """The axes of errors over bytes."""
    return Panel(curves, title, "bytes a row, all bytes counted", "mean squared L2", "xy")


def _bytes_table(run: Run) -> Table:
    codes = run.codes
    rows = [
        ["float32 table", 4 * codes.num_rows * codes.dim, 4 * codes.dim],
        ["codes", codes.codes_bytes, codes.codes_bytes / codes.num_rows],
        [f"codebooks, {codes.num_codebooks} × {codes.num_codewords} × {codes.dim} of "
         f"{codes.codebook_type}", codes.codebook_bytes, codes.codebook_bytes / codes.num_rows],
    ]  # fmt: skip
    if "file_bytes" in run.summary:
        total = run.summary["file_bytes"]
        rows.append(["the exported file, words and all", total, total / codes.num_rows])
    return Table(["", "bytes", "bytes a row"], rows)
