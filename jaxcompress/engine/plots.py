"""Pictures of runs: learning curves of one, comparisons of several. Needs matplotlib."""

import os
from collections.abc import Mapping
from pathlib import Path

from jaxcompress.engine.log import read_lines
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.places import as_path


def plot_curves(workdir: str | os.PathLike, title: str) -> Path | None:
    """Draws `WORKDIR/curves.png`: each figure over steps, one panel a figure.

    Returns:
        The file, or None if matplotlib (extra `plots`) is missing or there are no figures.
    """
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for line in read_lines(workdir):
        step = line.pop("step")
        for name, value in line.items():
            curve, _, figure = name.partition("_")
            panels.setdefault(figure, {}).setdefault(curve, []).append((step, value))
    return draw(panels, as_path(workdir) / "curves.png", title)


def plot_comparison(
    workdirs: Mapping[str, str | os.PathLike], path: Path, title: str
) -> Path | None:
    """Draws the evaluations of several runs over steps: one panel a figure, one curve a run.

    Args:
        workdirs: label -> workdir.
        path: the PNG to write.
        title: the picture's title.

    Returns:
        `path`, or None if matplotlib is missing or there are no figures.
    """
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for label, workdir in workdirs.items():
        for line in read_lines(workdir):
            step = line.pop("step")
            for name, value in line.items():
                if not name.startswith("train_"):
                    panel = panels.setdefault(name.replace("_", " "), {})
                    panel.setdefault(label, []).append((step, value))
    return draw(panels, path, title)


def draw(
    panels: Mapping[str, Mapping[str, list[tuple[float, float]]]],
    path: Path,
    title: str,
    x_label: str = "step",
) -> Path | None:
    """Draws a panel for each name, with a labelled curve for each list of points (x, y).

    Args:
        panels: panel -> label -> points.
        path: the PNG to write.
        title: the picture's title.
        x_label: what x is.

    Returns:
        `path`, or None if matplotlib is missing or there are no panels.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    if not panels:
        return None
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.1 * rows), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (name, curves) in zip(axes, sorted(panels.items()), strict=False):
        for curve, points in sorted(curves.items()):
            size = 3 if len(points) > 1 else 10  # a single point has no line to be seen by
            axis.plot(
                *zip(*points, strict=True), label=curve, linewidth=1.3, marker=".", markersize=size
            )
        axis.set(title=name.replace("_", " "), xlabel=x_label)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    for axis in axes[len(panels) :]:
        axis.remove()
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
    return path
