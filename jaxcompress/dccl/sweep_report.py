"""What `python -m train.dccl` shows of sizes: `--mode sweep`, and the choice of `target_mb`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxcompress.codes.sizes import Size
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.dccl.config import Config, ModelConfig
from jaxcompress.dccl.sweep import choose, measure_all
from jaxcompress.engine.plots import draw
from jaxcompress.engine.report import format_rows, say

FILE = "sweep.json"  # in the workdir


_COLUMNS = (
    "num_codebooks",
    "num_codewords",
    "bytes_per_row",
    "codebook_bytes",
    "megabytes",
    "mean_squared_l2",
    "relative_error",
    "bound",
)


def compare_sizes(
    vectors: Vectors,
    weights: np.ndarray | None,
    sizes: Sequence[Size],
    config: Config,
    workdir: Path,
) -> list[dict[str, Any]]:
    """Measures what `sweep.json` does not have yet, prints a table, draws `sweep.png`."""
    say(
        f"sizes of codes for {' x '.join(f'{n:,}' for n in vectors.rows.shape)} vectors of "
        f"{vectors.source}; workdir {workdir}"
    )
    measured = measure_all(vectors.rows, sizes, config, workdir / FILE, say, weights)
    say("\n" + format_rows(measured, _COLUMNS))
    if weights is not None:
        say("mean_squared_l2 is weighted as the rows are, relative_error is not")
    if jax.process_index() == 0:
        error = "mean squared L2" if weights is None else "weighted mean squared L2"
        _draw(measured, error, workdir, vectors.source)
    if config.target_mb is not None:
        size = choose(measured)
        megabytes = size.num_bytes(*vectors.rows.shape) / 1e6
        say(f"chosen: {size}, {megabytes:.5g} MB of at most {config.target_mb}")
        own, default = config.model, ModelConfig()
        own_size = Size(own.num_codebooks, own.num_codewords)
        if own_size != Size(default.num_codebooks, default.num_codewords):
            say(
                f"note: target_mb takes the place of {own_size}, which model.num_codebooks and "
                "model.num_codewords say."
            )
    return measured


def _draw(measured: Sequence[dict[str, Any]], error: str, workdir: Path, source: str) -> None:
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in measured:
        label, count = f"K = {row['num_codewords']:3}", row["bits_per_row"] / 8
        curves.setdefault(label, []).append((count, row["mean_squared_l2"]))
        if "bound" in row:
            curves.setdefault("bound", []).append((count, row["bound"]))
    panel = {label: sorted(points) for label, points in curves.items()}
    picture, title = workdir / "sweep.png", f"codes of {Path(source).stem}"
    if draw({error: panel}, picture, title, "bytes a row"):
        say(f"\nthe curve: {picture}")
    else:
        say('\nno curve drawn; for it: pip install -e ".[plots]"')
