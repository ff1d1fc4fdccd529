"""How measured sizes are shown: a table and a curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from jaxcompress.codes.sizes import Size
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.prepare import Source
from jaxcompress.dccl.sweep import measure_all
from jaxcompress.engine.page.charts import Curve, Panel, save_panels
from jaxcompress.engine.report import format_rows, say
from jaxcompress.storage.json_files import read_json

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
    source: Source, sizes: Sequence[Size], config: Config, workdir: Path
) -> list[dict[str, Any]]:
    """Measures the sizes that `sweep.json` does not hold yet, prints a table, draws `sweep.png`.

    Args:
        source: the whole table, and its weights.
        sizes: of `sweep.plan`.
        config: the run's.
        workdir: the run's folder, opened.

    Returns:
        What `sweep.measure_all` does.
    """
    vectors, is_weighted = source.vectors, source.weights is not None
    say(
        f"sizes of codes for {' x '.join(f'{n:,}' for n in vectors.rows.shape)} vectors of "
        f"{vectors.source}; workdir {workdir}"
    )
    measured = measure_all(source, sizes, config, workdir / FILE, say)
    say("\n" + format_rows(measured, _COLUMNS))
    if is_weighted:
        say("mean_squared_l2 is weighted as the rows are, relative_error is not")
    if jax.process_index() == 0:
        _draw(workdir, vectors.source)
    return measured


def _draw(workdir: Path, source: str) -> None:
    picture, panel = workdir / "sweep.png", sweep_panel(workdir)
    if panel and save_panels([panel], picture, f"codes of {Path(source).stem}"):
        say(f"\nthe curve: {picture}")
    else:
        say('\nno curve drawn; for it: pip install "jaxcompress[plots]"')


def sweep_panel(workdir: Path) -> Panel | None:
    """Makes curves of the error over the bytes of a row: one for each K, and the bound.

    Returns:
        None if there are no measured sizes in the workdir.
    """
    if not (workdir / FILE).exists():
        return None
    measured = read_json(workdir / FILE, "delete it")["sizes"]
    found: dict[str, list[tuple[float, float]]] = {}
    for row in measured:
        label, count = f"K = {row['num_codewords']:3}", row["bits_per_row"] / 8
        found.setdefault(label, []).append((count, row["mean_squared_l2"]))
        if "bound" in row:  # which weighted errors have none of
            found.setdefault("bound", []).append((count, row["bound"]))
    curves = {label: Curve(sorted(points)) for label, points in sorted(found.items())}
    if "bound" in curves:
        curves["bound"] = curves["bound"]._replace(style="dashed", colour="ink")
    error = "mean squared L2" if "bound" in curves else "weighted mean squared L2"
    return Panel(curves, "", "bytes per row", error)
