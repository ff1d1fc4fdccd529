"""Runs side by side: their figures, and a picture of error against parameters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxcompress.ant.config import Config
from jaxcompress.engine.page.charts import Curve, Panel, lines, save_panels, to_svg
from jaxcompress.engine.page.curves import panels_of_runs
from jaxcompress.engine.page.page import Picture, Section
from jaxcompress.engine.page.sections import learning_curves, leave_comparison, runs_table
from jaxcompress.engine.report import format_rows, say
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError
from jaxcompress.storage.json_files import REWRITE, read_json
from jaxcompress.storage.places import as_path

_COLUMNS = ("workdir", "method", "test_mse", "valid_mse", "mean_next_window_mse", "parameters",
            "stored_bytes", "num_anchors", "compression_ratio", "ratings_per_second")  # fmt: skip


def compare(workdirs: Sequence[str]) -> list[dict[str, Any]]:
    """Reads the summary of each run; a row is its figures and its "workdir".

    Below them stand the simplest predictions of each data set and split, with its name as workdir.

    Raises:
        InputError: if a workdir holds no run over ratings, or it is not trained yet.
    """
    rows = []
    for workdir in workdirs:
        read_config(workdir, Config)
        file = as_path(workdir) / "summary.json"
        if not file.exists():
            raise InputError(f"workdir {workdir} has no summary.json yet; train first.")
        rows.append({"workdir": workdir, **read_json(file, REWRITE)})
    simple: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if "baselines" not in row:
            say(
                f"note: {row['workdir']} lacks the simplest predictions; --mode evaluate adds them."
            )
        for baseline in row.pop("baselines", ()):
            own = {"workdir": f"({row['dataset']})", **baseline}
            simple.setdefault(tuple(own.items()), own)
    return [*rows, *simple.values()]


def show_comparison(rows: Sequence[dict[str, Any]], picture: Path) -> None:
    """Prints the rows of `compare` side by side, and draws error against parameters."""
    say(format_rows(rows, _columns_of(rows)))
    if save_panels([error_panel(rows)], picture, "error against parameters"):
        say(f"\nerror against parameters: {picture}")
    else:
        say('\nno picture drawn; for one: pip install "jaxcompress[plots]"')
    leave_comparison(picture.with_suffix(".html"), "Ratings", lambda: _sections(rows))


def _columns_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [name for name in _COLUMNS if any(name in row for row in rows)]


def _sections(rows: Sequence[dict[str, Any]]) -> list[Section]:
    """Makes the sections of the page."""
    runs = {f"{row['method']} ({Path(row['workdir']).name})": row["workdir"]
            for row in rows if "dataset" in row}  # fmt: skip
    panels = [panel for panel in panels_of_runs(runs) if panel.title == "valid mse"]
    curve = to_svg(lines(error_panel(rows), 640, 340), "Test error over parameters")
    return [
        Section(
            "Error and parameters",
            "The mean squared error of test ratings over the parameters that are not 0.",
            [Picture(curve)],
            [runs_table(rows, _columns_of(rows))],
        ),
        learning_curves(panels, "The error of validation ratings over training steps.", 640, 320),
    ]


def error_panel(rows: Sequence[dict[str, Any]]) -> Panel:
    """Makes curves of the test error over parameters, one for each method."""
    points: dict[str, list[tuple[float, float]]] = {}
    sized = [row for row in rows if row.get("parameters", 1) > 1]  # not the constant
    for row in sorted(sized, key=lambda row: row["parameters"]):
        points.setdefault(row["method"], []).append((row["parameters"], row["test_mse"]))
    curves = {name: Curve(found) for name, found in points.items()}
    return Panel(curves, "", "parameters", "test MSE", "x")
