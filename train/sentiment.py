"""Judges vectors by a classifier of texts: `python -m train.sentiment --config configs/imdb.py`.

`--config.vectors=PATH` names vectors or codes; without any, a table is learned from scratch.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes what the task has learned of the table, `--mode compare` trains the same classifier on
several tables and lays them side by side.
"""

import dataclasses
import os
import re
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress import classify, loop, sentiment
from jaxcompress import workdir as workdirs
from jaxcompress.codes_files import CODES_FILE
from jaxcompress.compressed import Codes
from jaxcompress.config import Arguments
from jaxcompress.data.labelled_text import read_labelled_text
from jaxcompress.errors import InputError
from jaxcompress.metrics import draw
from jaxcompress.sparse_anchors import ANCHORS_FILE, SparseAnchors
from jaxcompress.token_embeddings import UNKNOWN
from train import command_line
from train.command_line import say
from train.tables import read_table, write_rows

MODES = ("train", "evaluate", "export", "compare")


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of `--mode compare`."""

    vectors: str = ""  # PATH,PATH,...: frozen, as they are; beside config.vectors
    codes: str = ""  # PATH,PATH,...: frozen, and as --kinds has it
    kinds: str = ""  # further ones: finetune_codebooks (of each of the codes), ant, dense


class Outcome(NamedTuple):
    """`summary.json`, and each seed's own figures."""

    summary: dict[str, Any]
    seeds: list[dict[str, Any]]


def train(config: sentiment.Config, workdir: str) -> Outcome:
    """Trains (or goes on), evaluates and exports, with everything kept in `workdir`.

    Raises:
        InputError: before anything is written, where input or config are not possible.
    """
    return _run_seeds(prepare(read(config), config), workdir, "train")


def read(config: sentiment.Config) -> classify.Corpus:
    """Reads the texts that the config names, and tells what there was to tell."""
    config.check()
    text = read_labelled_text(config.data.source, valid=config.data.valid, test=config.data.test)
    for note in text.notes:
        say(f"note: {note}")
    counts = ", ".join(f"{len(some):,} {split}" for split, some in text.texts.items())
    say(f"{text.source}: {counts} texts of {len(text.classes)} classes")
    return classify.number_corpus(text)


def prepare(corpus: classify.Corpus, config: sentiment.Config) -> classify.Problem:
    """Opens the table that the config names, and tells how much of the texts it knows."""
    source = None if config.vectors is None else read_table(config.vectors, config.data.tensor)
    problem = classify.prepare(corpus, source, config)
    shares = (f"{100 * share:.1f} % of {split}" for split, share in problem.known.items())
    say(f"{describe(config)}: it knows {', '.join(shares)} tokens")
    return problem


def _run_seeds(problem: classify.Problem, workdir: str, mode: str) -> Outcome:
    """Runs each seed, in a folder of its own where there are several."""
    config = problem.config
    if config.num_seeds == 1:
        summary = _run(problem, config.seed, workdir, mode)
        return Outcome(summary, [summary])
    with workdirs.opened(workdir, config, problem.fingerprint) as path:
        summaries = [
            _run(problem, seed, f"{workdir}/seed-{seed}", mode)
            for seed in range(config.seed, config.seed + config.num_seeds)
        ]
        if mode == "export":
            return Outcome({}, summaries)
        summary = over_seeds(summaries)
        say("\n" + command_line.table(summary))
        command_line.write_json(path / "summary.json", summary)
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


def _run(problem: classify.Problem, seed: int, workdir: str, mode: str) -> dict[str, Any]:
    job = classify.make_job(problem, seed)
    with workdirs.opened(workdir, job.config, problem.fingerprint) as path:
        if mode == "train":
            say(
                f"{job.num_steps:,} steps ({job.num_steps / problem.steps_per_epoch:.3g} epochs) "
                f"of {job.feed.batch_size} texts on {jax.device_count()} "
                f"{jax.devices()[0].platform} device(s); workdir {path}"
            )
            fitted = loop.fit(job, workdir=workdir, say=say)
        else:
            fitted = loop.restore_best(job, workdir)
            say(f"step {int(fitted.state.step):,} of {job.num_steps:,}, the best so far")
        summary = {}
        if mode != "export":
            summary = summarize(problem, job, fitted)
            say("\n" + command_line.table(summary))
            command_line.write_summary(path, summary, describe(problem.config))
        if mode != "evaluate":
            export(problem, fitted, path)
    return summary


def describe(config: sentiment.Config) -> str:
    """A run's embedding, in words."""
    if config.vectors is None:
        return {"ant": "ANT, from scratch", "dense": "dense, from scratch"}[config.embedding]
    return f"{_name_of(config.vectors)}, {config.embedding.replace('_', ' ')}"


def tell_apart(configs: Sequence[sentiment.Config]) -> list[str]:
    """What `describe` says, with the path where that is the same of several."""
    names = [describe(config) for config in configs]
    return [
        name if names.count(name) == 1 else f"{config.vectors}: {name}"
        for config, name in zip(configs, names, strict=True)
    ]


def _name_of(path: str) -> str:
    """Of a file its name, or else that of the run it was made by."""
    parts = Path(path).parts
    names = [part for part in parts if part not in ("export", CODES_FILE, "/")]
    return (names or parts)[-1]


def summarize(problem: classify.Problem, job: loop.Job, fitted: loop.Fitted) -> dict[str, Any]:
    """Computes the figures of `summary.json`."""
    corpus, table = problem.corpus, problem.table
    params = jax.device_get(fitted.state.params)
    tested = classify.evaluation(problem, np.array(corpus.ranges["test"]))
    test, valid = (
        job.task.metrics(loop.evaluate(job, fitted.state, feed))
        for feed in (tested, job.evaluations["valid"])
    )
    seen = fitted.step * problem.config.batch_size
    return {
        "dataset": Path(corpus.text.source).name,
        "embedding": describe(problem.config),
        "num_words": len(table.words),
        "dim": table.dim,
        "embedding_bytes": num_bytes(table.artefact(params["embedding"])),
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


def num_bytes(artefact: np.ndarray | Codes | SparseAnchors) -> int:
    """Bytes of a table as it is stored; names of rows are not counted."""
    return artefact.nbytes if isinstance(artefact, np.ndarray) else artefact.num_bytes()


def export(problem: classify.Problem, fitted: loop.Fitted, workdir: Path) -> None:
    """Writes a table that was learned to `WORKDIR/export`; one that stayed as it was is not."""
    params = jax.device_get(fitted.state.params["embedding"])
    if not params or jax.process_index() > 0:
        return
    table, folder = problem.table, workdir / "export"
    folder.mkdir(exist_ok=True)
    artefact = table.artefact(params)
    if isinstance(artefact, np.ndarray):
        write_rows(folder, artefact, [*table.words, UNKNOWN])
        say(f"\nwrote {folder}/embedding.npy and embedding.words.txt")
        return
    file = folder / (ANCHORS_FILE if isinstance(artefact, SparseAnchors) else CODES_FILE)
    artefact.save(file)
    say(f'\nwrote {file}; open it with jaxcompress.load("{workdir}")')


def compare(config: sentiment.Config, workdir: str, options: Options) -> list[dict[str, Any]]:
    """Trains the same classifier, in the same order, on each table; prints them side by side.

    Raises:
        InputError: where no tables are given, before anything is trained.
    """
    variants, rows = make_variants(config, options), []
    corpus = read(config)
    problems = {name: prepare(corpus, variant) for name, variant in variants.items()}
    for (folder, problem), name in zip(
        problems.items(), tell_apart(list(variants.values())), strict=True
    ):
        say(f"\n== {name}")
        found = _run_seeds(problem, f"{workdir}/{folder}", "train").summary
        rows.append({"test_accuracy_std": 0.0, "seeds": config.num_seeds, **found,
                     "embedding": name})  # fmt: skip
    columns = ("embedding", "embedding_bytes", "test_accuracy", "test_accuracy_std", "seeds",
               "valid_accuracy", "train_seconds", "texts_per_second")  # fmt: skip
    say("\n" + command_line.columns(rows, columns))
    command_line.write_json(Path(workdir) / "compare.json", rows)
    points = {row["embedding"]: [(row["embedding_bytes"], row["test_accuracy"])] for row in rows}
    picture = Path(workdir) / "compare.png"
    if draw({"test accuracy": points}, picture, "accuracy against bytes", x_label="bytes"):
        say(f"\naccuracy against bytes: {picture}")
    return rows


def make_variants(config: sentiment.Config, options: Options) -> dict[str, sentiment.Config]:
    """The configs to compare, by the names of their folders: that of the config's own table, where
    it has one, and those of the options."""
    vectors, codes, kinds = (
        [part for part in text.split(",") if part]
        for text in (options.vectors, options.codes, options.kinds)
    )
    asked = []
    if config.vectors is not None or config.embedding in sentiment.FROM_SCRATCH:
        asked.append((config.vectors, config.embedding))
    elif config.embedding != "frozen":
        raise InputError(
            f"embedding is {config.embedding!r}, and no vectors are set for it; for all codes "
            f"that are compared: --kinds={config.embedding}."
        )
    asked += [(path, "frozen") for path in (*vectors, *codes)]
    for kind in kinds:
        if kind not in sentiment.EMBEDDINGS[1:]:
            raise InputError(
                f"kinds has {kind!r}; it must be of {', '.join(sentiment.EMBEDDINGS[1:])}."
            )
        if kind in sentiment.FROM_SCRATCH:
            asked.append((None, kind))
        elif codes:
            asked += [(path, kind) for path in codes]
        else:
            raise InputError(f"kinds has {kind!r}, which is of codes; add --codes=PATH,...")
    if not asked:
        raise InputError("nothing to compare; add --vectors=PATH,... or --codes=PATH,...")
    variants = (dataclasses.replace(config, vectors=v, embedding=e) for v, e in asked)
    return {_folder(variant): variant for variant in variants}


def _folder(config: sentiment.Config) -> str:
    """A name for the workdir of a table: the same however its path is written."""
    if config.vectors is None:
        return config.embedding
    path = os.path.normpath(config.vectors)
    name = re.sub(r"[^\w.-]+", "-", _name_of(path))[:60]
    return f"{config.embedding}-{name}-{zlib.crc32(path.encode()):08x}"


def _main(arguments: Arguments) -> None:
    config, workdir = command_line.config_and_workdir(arguments, sentiment.Config)
    if arguments.mode == "compare":
        compare(config, workdir, arguments.options)
    else:
        _run_seeds(prepare(read(config), config), workdir, arguments.mode)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return command_line.run(_main, sys.argv if argv is None else argv, MODES, Options())


if __name__ == "__main__":
    sys.exit(main())
