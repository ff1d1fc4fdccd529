"""Learning curves: what was logged of runs, as panels of a chart."""

import os
from collections.abc import Mapping

from jaxcompress.engine.log import read_lines
from jaxcompress.engine.page.charts import Curve, Panel

_Found = dict[str, dict[str, list[tuple[float, float]]]]  # figure -> curve -> points


def panels_of_run(workdir: str | os.PathLike) -> list[Panel]:
    """Makes a panel of each figure of a run, with a curve for the training and each evaluation."""
    found: _Found = {}
    for line in read_lines(workdir):
        step = line.pop("step")
        for name, value in line.items():
            curve, _, figure = name.partition("_")
            found.setdefault(figure, {}).setdefault(curve, []).append((step, value))
    return _panels(found)


def panels_of_runs(workdirs: Mapping[str, str | os.PathLike]) -> list[Panel]:
    """Makes a panel of each figure of evaluations, with a curve for each run, by its label."""
    found: _Found = {}
    for label, workdir in workdirs.items():
        for line in read_lines(workdir):
            step = line.pop("step")
            for name, value in line.items():
                if not name.startswith("train_"):
                    found.setdefault(name, {}).setdefault(label, []).append((step, value))
    return _panels(found)


def _panels(found: Mapping[str, Mapping[str, list[tuple[float, float]]]]) -> list[Panel]:
    return [
        Panel({name: Curve(points) for name, points in sorted(curves.items())},
              figure.replace("_", " "))
        for figure, curves in sorted(found.items())
    ]  # fmt: skip
