"""A run: ratings are read, tables are trained, evaluated and exported; without flags."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.anchors.files import ANCHORS_FILE
from jaxcompress.ant.alone import or_biases_alone
from jaxcompress.ant.choose import choose, is_open, with_choice
from jaxcompress.ant.clusters import learn_dense_rows
from jaxcompress.ant.config import Config, describe
from jaxcompress.ant.export import export, is_sparse
from jaxcompress.ant.inspect import Anchor, format_anchor, inspect
from jaxcompress.ant.plan import columns
from jaxcompress.ant.prepare import Problem, prepare, read
from jaxcompress.ant.rank import Ranking, rank, write_ranking
from jaxcompress.ant.report import make_page
from jaxcompress.ant.summary import format_summary, summarize
from jaxcompress.data.ratings.read import Ratings
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.page.page import leave_report
from jaxcompress.engine.report import format_rows, say, write_json, write_summary
from jaxcompress.engine.start import fit_or_restore
from jaxcompress.engine.workdir import as_begun, opened, read_config
from jaxcompress.errors import InputError
from jaxcompress.storage.json_files import read_json
from jaxcompress.storage.places import as_path

_CHOICE = "choice.json"  # what was chosen on validation ratings, in a workdir
_LIKED = ", and the items whose ratings each raises most"


@dataclasses.dataclass(frozen=True)
class Options:
    """What modes take besides a config."""

    num_items: int = 8  # inspect: items and users to show of each anchor
    k: str = "10,50"  # rank: items recommended to each user, one number or several
    threshold: float = 3.5  # rank: the least rating of a relevant item
    workdirs: str = ""  # compare: DIR,DIR,...


class Outcome(NamedTuple):
    """What a run ends with.

    Attributes:
        tables: the tables of users and items, if they were exported; else None.
        summary: the figures of `summary.json`; empty if nothing was evaluated.
    """

    tables: SparseAnchors | None
    summary: dict[str, Any]


def train(config: Config, workdir: str) -> Outcome:
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    return run(config, workdir, "train")


@own_settings
def inspect_anchors(workdir: str, num_items: int = 8, side: str = "items") -> list[Anchor]:
    """Looks at each anchor of a side of a run, trained or half-trained.

    Raises:
        InputError: if there is no run, or its tables have no anchors.
    """
    config = read_config(workdir, Config)
    with _fitted(config, workdir, is_training=False, say=_in_silence) as (problem, fitted, _):
        return inspect(problem, fitted.state, num_items, side)


@own_settings
def rank_items(workdir: str, k: int | Sequence[int] = (10, 50), threshold: float = 3.5) -> Ranking:
    """Ranks all items of each user by a run, trained or half-trained.

    Args:
        workdir: the run's folder.
        k: items recommended to each user at most, one number or several.
        threshold: the least rating of a relevant item.

    Raises:
        InputError: if there is no run, k is less than 1, or no rating is as large as the
            threshold.
    """
    config, ks = read_config(workdir, Config), (k,) if isinstance(k, int) else tuple(k)
    with _fitted(config, workdir, is_training=False, say=_in_silence) as (problem, fitted, _):
        return rank(problem, fitted.state, ks, threshold)


@own_settings
def run(config: Config, workdir: str, mode: str, options: Options | None = None) -> Outcome:
    """Runs a mode in a workdir, and prints what it finds.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.
        mode: "train" trains, or goes on, and then evaluates and exports; "evaluate", "export",
            "inspect" and "rank" do that of the best state so far.
        options: of "inspect" and "rank"; None: the defaults.

    Raises:
        InputError: before anything is written, if the input or the config is invalid, or if there
            is no state to restore.
    """
    options, config = options or Options(), as_begun(config, workdir)
    tables, summary = None, {}
    with _fitted(config, workdir, is_training=mode == "train") as (problem, fitted, path):
        if mode in ("train", "evaluate"):
            summary = summarize(problem, fitted, path)
            say("\n" + format_summary(summary))
            _say_if_missed(problem.config, summary["parameters"])
            write_summary(
                path,
                summary,
                f"{describe(config)}, {summary['dataset']}" if config.report else None,
            )
        if mode in ("train", "export"):
            tables = export(problem, fitted.state, path)
            _announce_export(config, path)
        if mode in ("train", "evaluate", "export"):
            leave_report(path, config, lambda: make_page(path, config))
        if mode == "inspect":
            for side, (_, ids) in reversed(columns(problem.ratings).items()):
                say(f"\nanchors of {side}" + (_LIKED if side == "users" else ""))
                for anchor in inspect(problem, fitted.state, options.num_items, side):
                    say(format_anchor(anchor, len(ids), side))
        if mode == "rank":
            ks = _numbers(options.k)
            _show_ranking(rank(problem, fitted.state, ks, options.threshold), path)
    return Outcome(tables, summary)


@contextmanager
def _fitted(
    config: Config, workdir: str, *, is_training: bool, say: Callable[[str], None] = say
) -> Iterator[tuple[Problem, Fitted, Path]]:
    """Reads and prepares the input, opens the workdir, trains or restores."""
    config.check()
    given, ratings = config, read(config)
    for note in ratings.notes:
        say(f"note: {note}")
    choice = None
    if is_open(config):
        choice = _choice(ratings, config, as_path(workdir) / _CHOICE, is_training, say)
        config = with_choice(config, choice)
    dense_rows = None
    if config.model.anchor_init == "clusters":
        dense_rows = learn_dense_rows(ratings, config)
    problem = prepare(ratings, config, dense_rows, say=say)
    with opened(workdir, given, fingerprint(ratings)) as path:
        if choice is not None:
            write_json(path / _CHOICE, choice)
        fitted = fit_or_restore(
            problem.job,
            path,
            is_training=is_training,
            data=f"{len(ratings):,} ratings of {ratings.source}, {len(ratings.user_ids):,} users, "
            f"{len(ratings.item_ids):,} items",
            steps_per_epoch=problem.steps_per_epoch,
            say=say,
        )
        if choice is not None:
            fitted = or_biases_alone(problem, fitted, say)
        yield problem, fitted, path


def _choice(
    ratings: Ratings, config: Config, file: Path, is_training: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Takes what a run has chosen, or chooses it."""
    if file.exists():
        choice = read_json(file, "delete it, and it is chosen again")
        say(f"chosen before: l2 {choice['l2']}, anchors {choice['num_anchors']} a side")
        return choice
    if not is_training:
        raise InputError(f"{file.parent} holds no run that has chosen its settings; train first.")
    return choose(ratings, config, say)


def _in_silence(line: str) -> None:
    """Takes a line for the user where there is none: what is asked for is returned."""


def _say_if_missed(config: Config, left: int) -> None:
    asked = config.penalty.num_parameters
    if asked is not None and left > asked:
        say(f"note: {asked:,} parameters were asked for; {left:,} are left.")


def _announce_export(config: Config, workdir: Path) -> None:
    folder = workdir / "export"
    arrays = "users.transform.npz, users.anchors.npy" if is_sparse(config) else (
        "users.npy, users.ids.txt")  # fmt: skip
    say(
        f"\nwrote {folder}/{ANCHORS_FILE}, {arrays} and those of items; predict and recommend with "
        f'jaxcompress.load("{workdir}")'
    )


def _show_ranking(ranking: Ranking, workdir: Path) -> None:
    """Prints means over users, and writes each user's figures to `WORKDIR/ranking.csv`."""
    if jax.process_index() == 0:
        write_ranking(ranking, workdir / "ranking.csv")
    rows = ranking.rows()
    say(f"\n{len(ranking.users):,} users with relevant test items\n")
    say(format_rows(rows, list(rows[0])))
    say(f"\neach user's: {workdir}/ranking.csv")


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise InputError(f"k is {text!r}; expected numbers, as in 10,50.") from None


def fingerprint(ratings: Ratings) -> str:
    """Computes a hash of ratings and ids, by which a resumed run knows its data."""
    digest = hashlib.sha256()
    for column in (ratings.users, ratings.items, ratings.values):
        digest.update(np.ascontiguousarray(column).data)
    for names in (ratings.user_ids, ratings.item_ids):
        digest.update("\n".join(names).encode())
    return digest.hexdigest()[:16]
