"""Trains tables of users and items: `python -m train.ant --config configs/movielens_1m.py:ant`.

`--mode evaluate` and `--mode export` take a finished or half-finished run, `--mode inspect` shows
what its anchors stand for, `--mode rank` scores the test items of each user, `--mode compare` lays
runs side by side.
"""

import csv
import dataclasses
import functools
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.sparse

from jaxcompress import factorization as mf
from jaxcompress import loop, rating_model
from jaxcompress import workdir as workdirs
from jaxcompress.codes_files import replacing
from jaxcompress.config import Arguments
from jaxcompress.data import ratings as ratings_data
from jaxcompress.data.planted import PLANTED
from jaxcompress.data.titles import Title, read_titles
from jaxcompress.data.vectors import write_words
from jaxcompress.errors import InputError
from jaxcompress.metrics import draw, read_lines
from jaxcompress.rating_model import SIDES
from jaxcompress.recommend import (
    Problem,
    columns,
    evaluation,
    precision_and_recall,
    prepare,
    read,
)
from jaxcompress.sparse_anchors import ANCHORS_FILE, SparseAnchors, stack
from jaxcompress.task import TrainState
from train import command_line
from train.command_line import say

MODES = ("train", "evaluate", "export", "inspect", "rank", "compare")


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


def train(config: mf.Config, workdir: str) -> Outcome:
    """Trains (or goes on), evaluates and exports, with everything kept in `workdir`.

    Raises:
        InputError: before anything is written, where input or config are not possible.
    """
    return _run(config, workdir, "train")


def _run(config: mf.Config, workdir: str, mode: str, options: Options | None = None) -> Outcome:
    config.check()
    ratings = read(config)
    for note in ratings.notes:
        say(f"note: {note}")
    problem = prepare(ratings, config, say)
    job = problem.job
    with workdirs.opened(workdir, config, fingerprint(ratings)) as path:
        if mode == "train":
            say(
                f"{len(ratings):,} ratings of {ratings.source}, {len(ratings.user_ids):,} users, "
                f"{len(ratings.item_ids):,} items; {job.num_steps:,} steps "
                f"({job.num_steps / problem.steps_per_epoch:.3g} epochs) of {config.batch_size} "
                f"ratings on {jax.device_count()} {jax.devices()[0].platform} device(s); "
                f"workdir {path}"
            )
            fitted = loop.fit(job, workdir=workdir, say=say)
        else:
            fitted = loop.restore_best(job, workdir)
            say(f"step {int(fitted.state.step):,} of {job.num_steps:,}, the best so far")
        tables, summary = None, {}
        if mode in ("train", "evaluate"):
            summary = summarize(problem, fitted, path)
            say("\n" + command_line.table(summary))
            command_line.write_summary(path, summary, f"{describe(config)}, {summary['dataset']}")
        if mode in ("train", "export"):
            tables = export(problem, fitted.state, path)
        if mode == "inspect":
            inspect(problem, fitted.state, options.num_items)
        if mode == "rank":
            rank(problem, fitted.state, path, options.k, options.threshold)
    return Outcome(tables, summary)


def fingerprint(ratings: ratings_data.Ratings) -> str:
    """A hash of the ratings and of the ids: is it the same data?"""
    digest = hashlib.sha256()
    for column in (ratings.users, ratings.items, ratings.values):
        digest.update(np.ascontiguousarray(column).data)
    for names in (ratings.user_ids, ratings.item_ids):
        digest.update("\n".join(names).encode())
    return digest.hexdigest()[:16]


def describe(config: mf.Config) -> str:
    """The name of a method."""
    model, penalty = config.model, config.penalty
    name = {"anchors": "ANT", "dense": "MF", "mixed": "MixDim"}[model.table]
    if config.growth.enabled:
        name = "NBANT"
    elif model.table == "dense" and penalty.num_parameters:
        name = "pruned MF"
    elif model.table == "dense" and penalty.transform:
        name = "sparse MF"
    name = f"NCF over {name}" if model.network == "ncf" else name
    return f"{name} {model.latent_dim}"


def summarize(problem: Problem, fitted: loop.Fitted, workdir: Path | None) -> dict[str, Any]:
    """Computes the figures of `summary.json`."""
    ratings, splits, config = problem.ratings, problem.splits, problem.config
    state, job = fitted.state, problem.job
    params, aux = jax.device_get((state.params, state.aux))
    nnz = int(rating_model.num_nonzero(params, aux))
    parameters = nnz + int(rating_model.num_others(params, aux))
    dim = config.model.latent_dim
    dense = (len(ratings.user_ids) + len(ratings.item_ids)) * dim + 1
    stored = stored_bytes(config, params, aux)
    test, valid = (
        job.task.metrics(loop.evaluate(job, state, evaluation(splits[s])))
        for s in ("test", "valid")
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


def stored_bytes(config: mf.Config, params: dict, aux: dict) -> int:
    """Bytes of both tables as exported, and of biases and network as float32."""
    others = sum(np.asarray(x).nbytes for name in params if name not in SIDES
                 for x in jax.tree.leaves(params[name]))  # fmt: skip
    tables = make_tables(config, params, aux)
    if tables is None:
        return others + sum(x.nbytes for side in SIDES for x in jax.tree.leaves(params[side]))
    return others + sum(table.num_bytes() for table in tables.values())


def make_tables(config: mf.Config, params: dict, aux: dict) -> dict[str, SparseAnchors] | None:
    """Both tables as artefacts; None where they are dense or of blocks.

    A dense table with zeros has the unit vectors for anchors. The last anchor is the mean row, the
    only entry of rows without training ratings.
    """
    if config.model.table != "anchors" and not (
        config.penalty.transform or config.penalty.num_parameters
    ):
        return None
    tables = {}
    for side in SIDES:
        part, active, seen = params[side], aux[side]["active"], aux[side]["seen"]
        name = rating_model.entries(part)
        entries = np.where(seen[:, None] & active, part[name], 0.0)[:, active]
        anchors = part["anchors"][active] if name == "transform" else np.eye(entries.shape[1])
        mean = (entries.sum(axis=0) / max(seen.sum(), 1)) @ anchors
        with_mean = scipy.sparse.hstack([
            scipy.sparse.csr_matrix(entries), scipy.sparse.csr_matrix((~seen[:, None]) * 1.0)
        ])  # fmt: skip
        tables[side] = SparseAnchors.from_csr(with_mean, np.vstack([anchors, mean]))
    return tables


def export(problem: Problem, state: TrainState, workdir: Path) -> SparseAnchors | None:
    """Writes tables to `WORKDIR/export`, and says what it wrote."""
    params, aux = jax.device_get((state.params, state.aux))
    ratings, folder = problem.ratings, workdir / "export"
    names = {"users": ratings.user_ids, "items": ratings.item_ids}
    tables, others = make_tables(problem.config, params, aux), {}
    for name in params:
        if name not in SIDES:
            for path, leaf in jax.tree_util.tree_leaves_with_path({name: params[name]}):
                others[".".join(key.key for key in path)] = np.asarray(leaf)
    if jax.process_index() > 0:
        return None
    folder.mkdir(exist_ok=True)
    if tables is None:
        for side in SIDES:
            rows = dense_rows(problem, state, side)
            _save(folder / f"{side}.npy", lambda f, r=rows: np.save(f, r))
            with replacing(folder / f"{side}.ids.txt") as partial:
                write_words(partial, names[side])
        say(f"\nwrote {folder}/users.npy, items.npy and their ids.txt")
        return None
    for side, table in tables.items():
        tables[side] = dataclasses.replace(table, names=names[side])
        csr = table.to_csr()
        _save(folder / f"{side}.transform.npz", lambda f, m=csr: scipy.sparse.save_npz(f, m))
        _save(folder / f"{side}.anchors.npy", lambda f, a=table.anchors: np.save(f, a))
    artefact = stack(
        tables,
        extras=others,
        metadata={"method": describe(problem.config), "dataset": Path(ratings.source).name},
    )
    artefact.save(folder / ANCHORS_FILE)
    say(f"\nwrote {folder}/{ANCHORS_FILE}, users.transform.npz, users.anchors.npy and those of "
        f'items; open them with jaxcompress.load("{workdir}")')  # fmt: skip
    return artefact


def _save(file: Path, write: Callable[[Any], None]) -> None:
    with replacing(file) as partial, open(partial, "wb") as stream:
        write(stream)


def dense_rows(problem: Problem, state: TrainState, side: str) -> np.ndarray:
    """All rows of a table, float32 [V, D]; the mean row where there were no training ratings."""
    params, aux = jax.device_get((state.params, state.aux))
    about = {name: aux[name] for name in SIDES}
    return np.asarray(problem.model.apply({"params": params}, side, about, method="rows"))


# What a trained model says.


def inspect(problem: Problem, state: TrainState, num_items: int) -> None:
    """Prints the strongest items of each anchor, and how much they have in common.

    Genre purity is the share of the strongest items that have the genre most frequent among them,
    beside that genre's share of all items.

    Raises:
        InputError: where the items have no anchors.
    """
    part = jax.device_get(state.params["items"])
    if "transform" not in part:
        raise InputError(f"{describe(problem.config)} has no anchors; inspect a run of ANT.")
    titles = read_titles(problem.ratings.source)
    names, active = problem.ratings.item_ids, np.asarray(state.aux["items"]["active"])
    unknown = Title("", ())
    shown = [titles.get(name, unknown) for name in names]
    shares = _genre_shares(shown)
    strength = part["transform"] * np.linalg.norm(part["anchors"], axis=1)
    for number, k in enumerate(np.flatnonzero(active), 1):
        weights = strength[:, k]
        used = int((weights > 0).sum())
        best = [i for i in np.argsort(-weights, kind="stable")[:num_items] if weights[i] > 0]
        line = f"anchor {number}: {used:,} of {len(names):,} items"
        if best and (genres := _genre_shares([shown[i] for i in best])):
            genre = max(genres, key=lambda g: (genres[g], g))
            line += f"; genre purity {genres[genre]:.2f} {genre} (of all items {shares[genre]:.2f})"
        say(line)
        for i in best:
            say(f"  {weights[i]:7.3f}  {shown[i].name or names[i]}  {'|'.join(shown[i].genres)}")


def _genre_shares(titles: list[Title]) -> dict[str, float]:
    genres = sorted({genre for title in titles for genre in title.genres})
    return {g: sum(g in title.genres for title in titles) / len(titles) for g in genres}


def rank(
    problem: Problem, state: TrainState, workdir: Path, k: int, threshold: float
) -> dict[str, float]:
    """Prints precision and recall at k, means over users; each user's go to `ranking.csv`."""
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1.")
    positions, ratings, job = problem.splits["test"], problem.ratings, problem.job
    predicted = loop.map_rows(
        functools.partial(_predict, problem.model),
        job,
        state.replace(opt_state=()),
        evaluation(positions),
        len(positions),
    )
    users, precision, recall = precision_and_recall(
        ratings.users[positions], ratings.values[positions], predicted, k, threshold
    )
    with (
        replacing(workdir / "ranking.csv") as partial,
        open(partial, "w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(("user", "precision", "recall"))
        for user, p, r in zip(users, precision, recall, strict=True):
            writer.writerow((ratings.user_ids[user], f"{p:.6g}", f"{r:.6g}"))
    figures = {"users": len(users), f"precision_at_{k}": float(precision.mean()),
               f"recall_at_{k}": float(recall.mean())}  # fmt: skip
    say("\n" + command_line.table(figures))
    say(f"\neach user's: {workdir}/ranking.csv")
    return figures


def _predict(model: rating_model.RatingModel, state: TrainState, batch: dict) -> jax.Array:
    about = {side: state.aux[side] for side in SIDES}
    return model.apply({"params": state.params}, batch, about, fill=True)[0]


def compare(paths: list[str], picture: Path) -> None:
    """Prints runs side by side and draws their errors against their parameters."""
    columns = ("method", "test_mse", "valid_mse", "parameters", "stored_bytes", "num_anchors",
               "compression_ratio", "ratings_per_second")  # fmt: skip
    rows = []
    for path in paths:
        workdirs.read_config(path, mf.Config)
        file = Path(path) / "summary.json"
        if not file.exists():
            raise InputError(f"workdir {path} has no summary.json yet; train first.")
        rows.append({"workdir": path, **json.loads(file.read_text())})
    say(command_line.columns(rows, ("workdir", *columns)))
    points: dict[str, list] = {}
    for row in sorted(rows, key=lambda row: row["parameters"]):
        points.setdefault(row["method"], []).append((row["parameters"], row["test_mse"]))
    if draw({"test mse": points}, picture, "error against parameters", x_label="parameters"):
        say(f"\nerror against parameters: {picture}")
    else:
        say('\nno picture drawn; for one: pip install -e ".[plots]"')


def _main(arguments: Arguments) -> None:
    mode, options = arguments.mode, arguments.options
    if mode == "compare":
        return compare(*command_line.split_workdirs(arguments))
    config, workdir = command_line.config_and_workdir(arguments, mf.Config)
    _run(config, workdir, mode, options)
    return None


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return command_line.run(_main, sys.argv if argv is None else argv, MODES, Options())


if __name__ == "__main__":
    sys.exit(main())
