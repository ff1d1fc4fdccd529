"""A run: texts and a table are read, the classifier is trained, tested and exported, seed by seed.

Everything is kept in the workdir; with several seeds, each has a folder `seed-N` in it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.classifier.choose import choose, is_open, with_choice
from jaxcompress.classifier.config import FROM_SCRATCH, Config, describe
from jaxcompress.classifier.corpus import Corpus, read_corpus
from jaxcompress.classifier.export import export, num_bytes, table_params
from jaxcompress.classifier.linear import fit_linear, has_checkpoint, is_linear
from jaxcompress.classifier.predictions import predict_test, save_predictions
from jaxcompress.classifier.prepare import (
    Problem,
    Source,
    make_test_feed,
    prepare,
    read_source,
    with_seed,
)
from jaxcompress.classifier.report import make_page
from jaxcompress.classifier.tables import check_source
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import evaluate, restore_best
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.page.page import leave_report
from jaxcompress.engine.report import format_figures, say, write_json, write_summary
from jaxcompress.engine.start import fit_or_restore
from jaxcompress.engine.workdir import as_begun, opened
from jaxcompress.errors import InputError
from jaxcompress.storage.json_files import read_json
from jaxcompress.storage.places import as_path

_CHOICE = "choice.json"  # what was chosen on validation texts, in a workdir


class Outcome(NamedTuple):
    """What a run gives.

    Attributes:
        summary: the figures of `WORKDIR/summary.json`; empty after an export.
        seeds: each seed's own figures, in order.
    """

    summary: dict[str, Any]
    seeds: list[dict[str, Any]]


def train(config: Config, workdir: str) -> Outcome:
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    return run(config, workdir, "train")


@own_settings
def run(config: Config, workdir: str, mode: str) -> Outcome:
    """Runs a mode: "train"; "evaluate", which tests the best state anew; or "export"."""
    config = as_begun(config, workdir)
    corpus = read_corpus(config)
    announce_corpus(corpus)
    problem = prepare_chosen(corpus, read_source(config), config, workdir, mode)
    announce_table(problem)
    return run_seeds(problem, workdir, mode)


def prepare_chosen(
    corpus: Corpus, source: Source, config: Config, workdir: str, mode: str = "train"
) -> Problem:
    """Makes the run ready; what the config leaves open is chosen, once for a workdir.

    Raises:
        InputError: if something is open, and the run is not to be trained.
    """
    choice = None
    if is_open(config):
        file = as_path(workdir) / _CHOICE
        if file.exists():
            choice = read_json(file, "delete it, and it is chosen again")
        elif mode != "train":
            raise InputError(
                f"{file.parent} holds no run that has chosen its settings; train first."
            )
        else:
            check_source(source, config)  # whatever does not fit is said first
            choice = choose(corpus, source, config, say)
        config = with_choice(config, choice)
    return prepare(corpus, source, config)._replace(choice=choice)


def announce_corpus(corpus: Corpus) -> None:
    """Prints what was read, and what there is to know of it."""
    text = corpus.text
    for note in text.notes:
        say(f"note: {note}")
    counts = ", ".join(f"{len(texts):,} {split}" for split, texts in text.texts.items())
    say(f"{text.source}: {counts} texts of {len(text.classes)} classes")


def announce_table(problem: Problem) -> None:
    """Prints how much of the texts the table knows."""
    shares = (f"{100 * share:.1f} % of {split}" for split, share in problem.known.items())
    say(f"{describe(problem.config)}: it has vectors for {', '.join(shares)} tokens")


def run_seeds(problem: Problem, workdir: str, mode: str) -> Outcome:
    """Runs a mode for each seed; if there are several, each has a folder of its own."""
    config = problem.config
    if config.num_seeds == 1:
        summary = _run_seed(problem, workdir, mode)
        return Outcome(summary, [summary])
    with opened(workdir, config, problem.fingerprint) as path:
        _keep_choice(problem, path)
        summaries = [
            _run_seed(with_seed(problem, seed), f"{workdir}/seed-{seed}", mode)
            for seed in range(config.seed, config.seed + config.num_seeds)
        ]
        if mode == "export":
            return Outcome({}, summaries)
        summary = average_seeds(summaries)
        say("\n" + format_figures(summary))
        write_json(path / "summary.json", summary)
        leave_report(path, config, lambda: make_page(path, config, problem.corpus.text))
    return Outcome(summary, summaries)


def _run_seed(problem: Problem, workdir: str, mode: str) -> dict[str, Any]:
    job = problem.job
    with opened(workdir, job.config, problem.fingerprint) as path:
        _keep_choice(problem, path)
        fitted = _fit_or_restore(problem, path, is_training=mode == "train")
        summary = {}
        if mode != "export":
            summary = summarize(problem, fitted)
            say("\n" + format_figures(summary))
            write_summary(
                path, summary, describe(problem.config) if problem.config.report else None
            )
            if problem.config.report:
                save_predictions(path, predict_test(problem, fitted.state))
        if mode != "evaluate" and jax.process_index() == 0:
            params = table_params(fitted.state)
            _announce_export(export(problem.table, params, path), path)
        text = problem.corpus.text
        leave_report(path, problem.config, lambda: make_page(path, problem.config, text))
    return summary


def _keep_choice(problem: Problem, workdir: Path) -> None:
    if problem.choice is not None:
        write_json(workdir / _CHOICE, problem.choice)


def _fit_or_restore(problem: Problem, workdir: Path, *, is_training: bool) -> Fitted:
    if is_linear(problem):
        if is_training and not has_checkpoint(workdir):
            return fit_linear(problem, workdir)
        return restore_best(problem.job, workdir)
    return fit_or_restore(
        problem.job,
        workdir,
        is_training=is_training,
        data="",  # announced already, once for all seeds
        steps_per_epoch=problem.steps_per_epoch,
    )


def _announce_export(file: Path | None, workdir: Path) -> None:
    if file is None:
        return
    if file.suffix == ".npy":
        say(f"\nwrote {file} and, beside it, {file.stem}.words.txt")
    else:
        say(f'\nwrote {file}; open it with jaxcompress.load("{workdir}")')


def summarize(problem: Problem, fitted: Fitted) -> dict[str, Any]:
    """Computes the figures of one seed's `summary.json`.

    Returns:
        Names of data and table; the table's words, dimensions and bytes; shares of known tokens;
        accuracies as shares and cross-entropies in nats a text; epochs; seconds; texts a second.
    """
    job, corpus, table = problem.job, problem.corpus, problem.table
    params = table_params(fitted.state)
    test, valid = (
        job.task.metrics(evaluate(job, fitted.state, feed))
        for feed in (make_test_feed(problem), job.evaluations["valid"])
    )
    return {
        "dataset": Path(corpus.text.source).name,
        "embedding": describe(problem.config),
        "network": problem.config.model.network,
        **_table_rate(problem.config),
        "num_words": len(table.words),
        "dim": table.dim,
        "embedding_bytes": num_bytes(table.to_artefact(params)),
        **{f"{split}_known_tokens": share for split, share in problem.known.items()},
        "num_classes": len(corpus.text.classes),
        "test_texts": len(corpus.ranges["test"]),
        "test_accuracy": test["accuracy"],
        "test_cross_entropy": test["cross_entropy"],
        "valid_accuracy": valid["accuracy"],
        "best_epoch": int(fitted.state.step) / problem.steps_per_epoch,
        "num_epochs": fitted.step / problem.steps_per_epoch,
        "train_seconds": fitted.train_seconds,
        "texts_per_second": fitted.step * problem.config.batch_size / fitted.train_seconds,
    }


def _table_rate(config: Config) -> dict[str, float]:
    """The rate of a table that is learned from scratch, under its name."""
    optimizer = config.optimizer
    rate = optimizer.table_rate or optimizer.learning_rate
    return {"table_rate": rate} if config.embedding in FROM_SCRATCH else {}


def average_seeds(summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Averages the figures of seeds, one or more; names and whole numbers are the first seed's.

    Returns:
        The means, and of the test accuracy each seed's, `test_accuracies`, and their standard
        deviation, `test_accuracy_std`: that of a sample, 0 for one seed.

    >>> average_seeds([{"dim": 8, "test_accuracy": 0.5}, {"dim": 8, "test_accuracy": 0.75}])
    ... # doctest: +NORMALIZE_WHITESPACE
    {'dim': 8, 'test_accuracy': 0.625, 'num_seeds': 2, 'test_accuracy_std': 0.1767766952966369,
     'test_accuracies': [0.5, 0.75]}
    """
    accuracies = [summary["test_accuracy"] for summary in summaries]
    averages = {
        name: float(np.mean([summary[name] for summary in summaries]))
        if isinstance(value, float)
        else value
        for name, value in summaries[0].items()
    }
    deviation = float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0
    return {
        **averages,
        "num_seeds": len(summaries),
        "test_accuracy_std": deviation,
        "test_accuracies": accuracies,
    }
