"""The figures of a run, and the simplest predictions beside it."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxcompress.ant.config import Config, describe
from jaxcompress.ant.effects import new_users, next_window_errors, rows_of
from jaxcompress.ant.export import count_bytes
from jaxcompress.ant.model import SIDES, num_nonzero, num_others
from jaxcompress.ant.plan import columns, make_eval_feed
from jaxcompress.ant.prepare import Problem
from jaxcompress.data.ratings.planted import PLANTED
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.log import read_lines
from jaxcompress.engine.loop import evaluate
from jaxcompress.engine.report import format_figures, format_rows

_TABLES = ("baselines", "windows")  # of the summary, by the names of their rows
COLUMNS = ("method", "test_mse", "valid_mse", "mean_next_window_mse", "parameters")


def summarize(problem: Problem, fitted: Fitted, workdir: Path) -> dict[str, Any]:
    """Computes the figures of `summary.json`.

    Returns:
        Names of data and method; counts of users, items and ratings; errors; counts of parameters,
        of what is stored in bytes, and ratios to a dense table; epochs; seconds; ratings a second;
        "baselines", a row of figures of each of the simplest predictions; of a stream "windows".
    """
    ratings, splits, config = problem.ratings, problem.splits, problem.config
    state, job = fitted.state, problem.job
    test, valid = (
        job.task.metrics(evaluate(job, state, make_eval_feed(splits[s]))) for s in ("test", "valid")
    )
    return {
        "dataset": Path(ratings.source).name,
        "method": describe(config),
        "num_users": len(ratings.user_ids),
        "num_items": len(ratings.item_ids),
        **{f"{split}_ratings": len(positions) for split, positions in splits.items()},
        "test_mse": test["mse"],
        "test_rmse": test["rmse"],
        "valid_mse": valid["mse"],
        **_count_unseen(problem),
        **_sizes(problem, fitted),
        "best_epoch": int(state.step) / problem.steps_per_epoch,
        "num_epochs": fitted.step / problem.steps_per_epoch,
        "train_seconds": fitted.train_seconds,
        "ratings_per_second": fitted.step * config.batch_size / fitted.train_seconds,
        **_planted(config),
        **(_of_stream(problem, workdir) if problem.windows else _of_splits(problem)),
    }


def _count_unseen(problem: Problem) -> dict[str, int]:
    """Counts users and items of the test split without a training rating: their row is the mean."""
    found = {}
    for side, (rows, names) in columns(problem.ratings).items():
        trained = np.bincount(rows[problem.splits["train"]], minlength=len(names)) > 0
        tested = np.unique(rows[problem.splits["test"]])
        found[f"unseen_test_{side}"] = int((~trained[tested]).sum())
    return found


def _sizes(problem: Problem, fitted: Fitted) -> dict[str, Any]:
    """Counts parameters and bytes, beside those of a dense table of the rows that are trained."""
    config = problem.config
    params, aux = jax.device_get((fitted.state.params, fitted.state.aux))
    nnz = int(num_nonzero(params, aux))
    parameters = nnz + int(num_others(params, aux))
    rows = sum(int(np.sum(aux[side]["seen"])) for side in SIDES)
    dense = rows * (config.model.latent_dim + config.model.biases) + 1
    sizes = count_bytes(problem, params, aux)
    anchors = {}
    if config.model.table == "anchors":
        anchors["num_anchors"] = [int(np.sum(aux[side]["active"])) for side in SIDES]
    return {
        "dense_parameters": dense,
        "nnz": nnz,
        **anchors,
        "parameters": parameters,
        **sizes,
        "compression_ratio": dense / parameters,
        "compression_ratio_bytes": 4 * dense / sizes["stored_bytes"],
    }


def _planted(config: Config) -> dict[str, int]:
    """Says how many anchors were planted, if any were."""
    if config.data.path != PLANTED:
        return {}
    return {"planted_anchors": config.data.planted_anchors}


def _of_splits(problem: Problem) -> dict[str, Any]:
    return {"baselines": rows_of(problem.effects, problem.ratings, problem.splits)}


def _of_stream(problem: Problem, workdir: Path) -> dict[str, Any]:
    """Gives the error on each window that followed, beside those of the simplest predictions."""
    found = {x["step"]: x["valid_mse"] for x in read_lines(workdir) if "valid_mse" in x}
    errors = [found[step] for step in sorted(found)]
    simple = list(islice(next_window_errors(problem.ratings, problem.windows), len(errors)))
    pairs = enumerate(zip(errors, simple, strict=True), 2)
    new = new_users(problem.ratings, problem.windows)
    windows = [
        {"window": number, "of_new_users": new[number - 1], "run": error, **others}
        for number, (error, others) in pairs
    ]
    baselines = [
        {
            "method": name,
            "test_mse": simple[-1][name],
            "mean_next_window_mse": float(np.mean([row[name] for row in simple])),
        }
        for name in simple[-1]
    ]
    return {
        "num_windows": len(errors) + 1,
        "mean_next_window_mse": float(np.mean(errors)),
        "baselines": baselines,
        "windows": windows,
    }


def format_summary(summary: Mapping[str, Any]) -> str:
    """Writes the figures, then the tables that show the simplest predictions beside the run."""
    figures = {name: value for name, value in summary.items() if name not in _TABLES}
    columns = [name for name in COLUMNS if name in summary]
    rows = [summary, *summary["baselines"]]
    tables = [format_figures(figures), format_rows(rows, columns)]
    if windows := summary.get("windows"):
        tables.append(format_rows(windows, list(windows[0])))
    return "\n\n".join(tables)
