"""Judges vectors by a classifier of texts: `python -m train.sentiment --config configs/imdb.py`.

`--config.vectors=PATH` names vectors or codes; without any, a table is learned from scratch.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes what the task has learned of the table, `--mode compare` trains the same classifier on
several tables and lays them side by side.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.classifier import prepare as classifier_prepare
from jaxcompress.classifier.config import Config, describe
from jaxcompress.classifier.export import export, num_bytes
from jaxcompress.classifier.prepare import Corpus, Problem, make_job, number_corpus
from jaxcompress.data.labelled.read import read_labelled_text
from jaxcompress.engine import report
from jaxcompress.engine.job import Fitted, Job
from jaxcompress.engine.loop import evaluate, fit, restore_best
from jaxcompress.engine.report import say, write_json, write_summary
from jaxcompress.engine.workdir import opened
from jaxcompress.loading import read_table


class Outcome(NamedTuple):
    """`summary.json`, and each seed's own figures."""

    summary: dict[str, Any]
    seeds: list[dict[str, Any]]


def train(config: Config, workdir: str) -> Outcome:
    """Trains (or goes on), evaluates and exports, with everything kept in `workdir`.

    Raises:
        InputError: before anything is written, where input or config are not possible.
    """
    return run(config, workdir, "train")


def run(config: Config, workdir: str, mode: str) -> Outcome:
    """Runs a mode of `python -m train.sentiment`: train, evaluate or export."""
    return run_seeds(prepare(read(config), config), workdir, mode)


def read(config: Config) -> Corpus:
    """Reads the texts that the config names, and tells what there was to tell."""
    config.check()
    text = read_labelled_text(config.data.source, valid=config.data.valid, test=config.data.test)
    for note in text.notes:
        say(f"note: {note}")
    counts = ", ".join(f"{len(some):,} {split}" for split, some in text.texts.items())
    say(f"{text.source}: {counts} texts of {len(text.classes)} classes")
    return number_corpus(text)


def prepare(corpus: Corpus, config: Config) -> Problem:
    """Opens the table that the config names, and tells how much of the texts it knows."""
    source = None if config.vectors is None else read_table(config.vectors, config.data.tensor)
    problem = classifier_prepare.prepare(corpus, source, config)
    shares = (f"{100 * share:.1f} % of {split}" for split, share in problem.known.items())
    say(f"{describe(config)}: it knows {', '.join(shares)} tokens")
    return problem


def run_seeds(problem: Problem, workdir: str, mode: str) -> Outcome:
    """Runs each seed, in a folder of its own where there are several."""
    config = problem.config
    if config.num_seeds == 1:
        summary = _run(problem, config.seed, workdir, mode)
        return Outcome(summary, [summary])
    with opened(workdir, config, problem.fingerprint) as path:
        summaries = [
            _run(problem, seed, f"{workdir}/seed-{seed}", mode)
            for seed in range(config.seed, config.seed + config.num_seeds)
        ]
        if mode == "export":
            return Outcome({}, summaries)
        summary = over_seeds(summaries)
        say("\n" + report.format_figures(summary))
        write_json(path / "summary.json", summary)
    return Outcome(summary, summaries)


def over_seeds(summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds; of the test accuracy the standard deviation and the range too."""
    accuracies = [summary["test_accuracy"] for summary in summaries]
    means = {
        name: float(np.mean([summary[name] for summary in summaries]))
        if isinstance(value, float)
        else value
        for name, value in summaries[0].items()
    }
    means["num_seeds"] = len(summaries)
    means["test_accuracy_std"] = float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0
    means["test_accuracies"] = accuracies
    return means


def _run(problem: Problem, seed: int, workdir: str, mode: str) -> dict[str, Any]:
    job = make_job(problem, seed)
    with opened(workdir, job.config, problem.fingerprint) as path:
        if mode == "train":
            say(
                f"{job.num_steps:,} steps ({job.num_steps / problem.steps_per_epoch:.3g} epochs) "
                f"of {job.feed.batch_size} texts on {jax.device_count()} "
                f"{jax.devices()[0].platform} device(s); workdir {path}"
            )
            fitted = fit(job, workdir=workdir, say=say)
        else:
            fitted = restore_best(job, workdir)
            say(f"step {int(fitted.state.step):,} of {job.num_steps:,}, the best so far")
        summary = {}
        if mode != "export":
            summary = summarize(problem, job, fitted)
            say("\n" + report.format_figures(summary))
            write_summary(path, summary, describe(problem.config))
        if mode != "evaluate":
            export(problem, fitted, path)
    return summary


def summarize(problem: Problem, job: Job, fitted: Fitted) -> dict[str, Any]:
    """Computes the figures of `summary.json`."""
    corpus, table = problem.corpus, problem.table
    params = jax.device_get(fitted.state.params)
    tested = classifier_prepare.evaluation(problem, np.array(corpus.ranges["test"]))
    test, valid = (
        job.task.metrics(evaluate(job, fitted.state, feed))
        for feed in (tested, job.evaluations["valid"])
    )
    seen = fitted.step * problem.config.batch_size
    return {
        "dataset": Path(corpus.text.source).name,
        "embedding": describe(problem.config),
        "num_words": len(table.words),
        "dim": table.dim,
        "embedding_bytes": num_bytes(table.to_artefact(params["embedding"])),
        **{f"{split}_known_tokens": share for split, share in problem.known.items()},
        "num_classes": len(corpus.text.classes),
        "test_texts": len(corpus.ranges["test"]),
        "test_accuracy": test["accuracy"],
        "test_cross_entropy": test["cross_entropy"],
        "valid_accuracy": valid["accuracy"],
        "best_epoch": int(fitted.state.step) / problem.steps_per_epoch,
        "num_epochs": fitted.step / problem.steps_per_epoch,
        "train_seconds": fitted.train_seconds,
        "texts_per_second": seen / fitted.train_seconds,
    }
