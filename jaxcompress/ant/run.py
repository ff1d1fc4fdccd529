"""Trains tables of users and items: `python -m train.ant --config configs/movielens_1m.py:ant`.

`--mode evaluate` and `--mode export` take a finished or half-finished run, `--mode inspect` shows
what its anchors stand for, `--mode rank` scores the test items of each user, `--mode compare` lays
runs side by side.
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.ant.config import Config, describe
from jaxcompress.ant.export import export, stored_bytes
from jaxcompress.ant.inspect import inspect_anchors
from jaxcompress.ant.model import SIDES, num_nonzero, num_others
from jaxcompress.ant.prepare import Problem, columns, evaluation, prepare, read
from jaxcompress.ant.rank import rank
from jaxcompress.data.ratings.planted import PLANTED
from jaxcompress.data.ratings.read import Ratings
from jaxcompress.engine import report
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.log import read_lines
from jaxcompress.engine.loop import evaluate, fit, restore_best
from jaxcompress.engine.report import say, write_summary
from jaxcompress.engine.workdir import opened


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of the modes."""

    num_items: int = 8  # inspect: the strongest of each anchor
    k: int = 10  # rank: items recommended to each user
    threshold: float = 3.5  # rank: an item is relevant from this rating on
    workdirs: str = ""  # compare: DIR,DIR,...


class Outcome(NamedTuple):
    """The tables, or None where nothing in them is sparse, and `summary.json`."""

    tables: SparseAnchors | None
    summary: dict[str, Any]


def train(config: Config, workdir: str) -> Outcome:
    """Trains (or goes on), evaluates and exports, with everything kept in `workdir`.

    Raises:
        InputError: before anything is written, where input or config are not possible.
    """
    return run(config, workdir, "train")


def run(config: Config, workdir: str, mode: str, options: Options | None = None) -> Outcome:
    config.check()
    ratings = read(config)
    for note in ratings.notes:
        say(f"note: {note}")
    problem = prepare(ratings, config, say)
    job = problem.job
    with opened(workdir, config, fingerprint(ratings)) as path:
        if mode == "train":
            say(
                f"{len(ratings):,} ratings of {ratings.source}, {len(ratings.user_ids):,} users, "
                f"{len(ratings.item_ids):,} items; {job.num_steps:,} steps "
                f"({job.num_steps / problem.steps_per_epoch:.3g} epochs) of {config.batch_size} "
                f"ratings on {jax.device_count()} {jax.devices()[0].platform} device(s); "
                f"workdir {path}"
            )
            fitted = fit(job, workdir=workdir, say=say)
        else:
            fitted = restore_best(job, workdir)
            say(f"step {int(fitted.state.step):,} of {job.num_steps:,}, the best so far")
        tables, summary = None, {}
        if mode in ("train", "evaluate"):
            summary = summarize(problem, fitted, path)
            say("\n" + report.format_figures(summary))
            write_summary(path, summary, f"{describe(config)}, {summary['dataset']}")
        if mode in ("train", "export"):
            tables = export(problem, fitted.state, path)
        if mode == "inspect":
            inspect_anchors(problem, fitted.state, options.num_items)
        if mode == "rank":
            rank(problem, fitted.state, path, options.k, options.threshold)
    return Outcome(tables, summary)


def fingerprint(ratings: Ratings) -> str:
    """A hash of the ratings and of the ids: is it the same data?"""
    digest = hashlib.sha256()
    for column in (ratings.users, ratings.items, ratings.values):
        digest.update(np.ascontiguousarray(column).data)
    for names in (ratings.user_ids, ratings.item_ids):
        digest.update("\n".join(names).encode())
    return digest.hexdigest()[:16]


def summarize(problem: Problem, fitted: Fitted, workdir: Path | None) -> dict[str, Any]:
    """Computes the figures of `summary.json`."""
    ratings, splits, config = problem.ratings, problem.splits, problem.config
    state, job = fitted.state, problem.job
    params, aux = jax.device_get((state.params, state.aux))
    nnz = int(num_nonzero(params, aux))
    parameters = nnz + int(num_others(params, aux))
    dim = config.model.latent_dim
    dense = (len(ratings.user_ids) + len(ratings.item_ids)) * dim + 1
    stored = stored_bytes(config, params, aux)
    test, valid = (
        job.task.metrics(evaluate(job, state, evaluation(splits[s]))) for s in ("test", "valid")
    )
    summary: dict[str, Any] = {
        "dataset": Path(ratings.source).name,
        "method": describe(config),
        "num_users": len(ratings.user_ids),
        "num_items": len(ratings.item_ids),
        **{f"{split}_ratings": len(positions) for split, positions in splits.items()},
        "test_mse": test["mse"],
        "test_rmse": test["rmse"],
        "valid_mse": valid["mse"],
        **_unseen(problem),
        "dense_parameters": dense,
        "nnz": nnz,
        "num_anchors": [int(np.sum(aux[side]["active"])) for side in SIDES],
        "parameters": parameters,
        "stored_bytes": stored,
        "compression_ratio": dense / parameters,
        "compression_ratio_bytes": 4 * dense / stored,
        "best_epoch": int(state.step) / problem.steps_per_epoch,
        "num_epochs": fitted.step / problem.steps_per_epoch,
        "train_seconds": fitted.train_seconds,
        "ratings_per_second": fitted.step * config.batch_size / fitted.train_seconds,
    }
    if config.model.table != "anchors":
        del summary["num_anchors"]
    if config.data.path == PLANTED:
        summary["planted_anchors"] = config.data.planted_anchors
    if config.stream.window is not None and workdir is not None:
        lines = read_lines(workdir / "metrics.jsonl")
        each = [line["valid_mse"] for line in lines if "valid_mse" in line]
        summary["num_windows"] = len(each) + 1
        summary["mean_next_window_mse"] = float(np.mean(each))
    return summary


def _unseen(problem: Problem) -> dict[str, int]:
    """Users and items of the test split that have no training rating: their row is the mean."""
    found = {}
    for side, column, count in columns(problem.ratings):
        trained = np.bincount(column[problem.splits["train"]], minlength=count) > 0
        tested = np.unique(column[problem.splits["test"]])
        found[f"unseen_test_{side}"] = int((~trained[tested]).sum())
    return found
