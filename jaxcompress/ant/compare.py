"""Trains tables of users and items: `python -m train.ant --config configs/movielens_1m.py:ant`.

`--mode evaluate` and `--mode export` take a finished or half-finished run, `--mode inspect` shows
what its anchors stand for, `--mode rank` scores the test items of each user, `--mode compare` lays
runs side by side.
"""

import json
from pathlib import Path

from jaxcompress.ant.config import Config
from jaxcompress.engine import report
from jaxcompress.engine.plots import draw
from jaxcompress.engine.report import say
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError


def compare(paths: list[str], picture: Path) -> None:
    """Prints runs side by side and draws their errors against their parameters."""
    columns = ("method", "test_mse", "valid_mse", "parameters", "stored_bytes", "num_anchors",
               "compression_ratio", "ratings_per_second")  # fmt: skip
    rows = []
    for path in paths:
        read_config(path, Config)
        file = Path(path) / "summary.json"
        if not file.exists():
            raise InputError(f"workdir {path} has no summary.json yet; train first.")
        rows.append({"workdir": path, **json.loads(file.read_text())})
    say(report.format_rows(rows, ("workdir", *columns)))
    points: dict[str, list] = {}
    for row in sorted(rows, key=lambda row: row["parameters"]):
        points.setdefault(row["method"], []).append((row["parameters"], row["test_mse"]))
    if draw({"test mse": points}, picture, "error against parameters", x_label="parameters"):
        say(f"\nerror against parameters: {picture}")
    else:
        say('\nno picture drawn; for one: pip install -e ".[plots]"')
