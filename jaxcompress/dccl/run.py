"""Compresses a table of vectors to codes: `python -m train.dccl --config configs/quickstart.py`.

`--mode sweep` measures what sizes of codes take and give, on a sample of the rows.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes its files anew. The same command again goes on with a run, or finds it finished.
"""

import dataclasses
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.checkpoint import find_artefact, save_artefact
from jaxcompress.codes.files import CODES_FILE
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.refine import FOLDER, refine_codes
from jaxcompress.data.text.stdlib import SOURCE
from jaxcompress.data.vectors.files import Vectors, read_vectors
from jaxcompress.data.vectors.stdlib import stdlib_vectors
from jaxcompress.data.vectors.weights import read_weights
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.neighbours import show
from jaxcompress.dccl.prepare import Problem, prepare
from jaxcompress.dccl.sweep import choose, chosen, plan, with_size
from jaxcompress.dccl.sweep_report import FILE, compare_sizes
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import evaluate, fit, restore_best
from jaxcompress.engine.report import say, write_summary
from jaxcompress.engine.workdir import fingerprint, opened


class Learned(NamedTuple):
    """Codes before and after refinement, the errors after it, and the seconds that it took."""

    trained: Codes
    codes: Codes
    errors: dict[str, dict[str, float]]
    refine_seconds: float


class Outcome(NamedTuple):
    """The codes of all rows, and the figures of `summary.json`."""

    codes: Codes
    summary: dict[str, Any]


def train(config: Config, workdir: str) -> Outcome:
    """Trains (or goes on), evaluates and exports, with everything kept in `workdir`.

    Raises:
        InputError: before anything is written, where input or config are not possible.
    """
    return run(config, workdir, "train")


def run(config: Config, workdir: str, mode: str) -> Outcome | None:
    config.check()
    vectors, by_target, tried, problem = read(config), config.target_mb is not None, [], None
    weights = read_row_weights(config, vectors)
    if mode == "sweep" or (mode == "train" and by_target):
        tried = plan(vectors.rows, config, say)
    elif not by_target:
        problem = prepare(vectors.rows, config, say, weights)
    data = fingerprint(vectors.rows, vectors.words, weights)
    with opened(workdir, config, data) as path:
        if tried:
            measured = compare_sizes(vectors, weights, tried, config, path)
        if mode == "sweep":
            return None
        if by_target:
            size = choose(measured) if tried else chosen(path / FILE)
            problem = prepare(vectors.rows, with_size(config, size), say, weights)
        if mode == "train":
            say(
                f"{len(vectors.rows):,} x {vectors.rows.shape[1]} vectors of {vectors.source}; "
                f"{problem.job.num_steps:,} steps of {problem.job.feed.batch_size} rows on "
                f"{jax.device_count()} {jax.devices()[0].platform} device(s); workdir {path}"
            )
            fitted = fit(problem.job, workdir=workdir, say=say)
        else:
            fitted = restore_best(problem.job, workdir)
            say(f"step {fitted.step:,} of {problem.job.num_steps:,}, the best so far")
        learned = _learn_codes(problem, fitted, vectors, path)
        codes = learned.codes
        if mode != "evaluate":
            export(codes, path, config.export_words)
        summary = {}
        if mode != "export":
            summary = summarize(problem, fitted, learned)
            show(summary, codes, vectors, config.sample_words)
            title = f"DCCL, {summary['num_codebooks']} x {summary['num_codewords']}"
            write_summary(path, summary, title)
        if mode != "evaluate":
            say(
                f"\nwrote {path}/export/model.safetensors, model.codes, model.codebook.npy; open "
                f'them with jaxcompress.load("{workdir}")'
            )
    return Outcome(codes, summary)


def _learn_codes(problem: Problem, fitted: Fitted, vectors: Vectors, path: Path) -> Learned:
    """Encodes and refines, or takes the refined codes of this very state from the artefact."""
    about = {"source": vectors.source, "step": str(int(fitted.state.step))}
    trained = to_codes(problem, fitted.state, vectors.words, about)
    saved = find_artefact(path)
    if saved is not None and saved.metadata.get("step") == about["step"]:
        delete_refinement_checkpoints(path)
        errors = code_errors(problem.table, saved)
        return Learned(trained, saved, errors, float(saved.metadata["refine_seconds"]))
    if problem.config.refine.num_rounds:
        say(f"{problem.config.refine.num_rounds} rounds of refinement ...")
    refined = refine_codes(
        problem.table,
        trained,
        problem.config.refine,
        seed=problem.config.seed,
        workdir=path,
        label=about["step"],
        say=say,
        show_progress=jax.process_index() == 0,
    )
    about["refine_seconds"] = f"{refined.seconds:.3f}"
    errors = code_errors(problem.table, refined.codes)
    about["mean_squared_l2"] = repr(errors["all"]["mean_squared_l2"])
    codes = dataclasses.replace(refined.codes, metadata=about)
    save_artefact(path, codes)
    delete_refinement_checkpoints(path)
    return Learned(trained, codes, errors, refined.seconds)


def delete_refinement_checkpoints(path: Path) -> None:
    """Deletes the rounds of a refinement that is done."""
    if jax.process_index() == 0:
        shutil.rmtree(path / FOLDER, ignore_errors=True)


def read(config: Config) -> Vectors:
    """Reads the vectors that the config names, and tells what there was to tell."""
    if config.data.path == SOURCE:
        vectors = stdlib_vectors()
        if config.data.max_rows is not None:
            count = config.data.max_rows
            vectors = vectors._replace(rows=vectors.rows[:count], words=vectors.words[:count])
    else:
        vectors = read_vectors(
            config.data.path, tensor=config.data.tensor, max_rows=config.data.max_rows
        )
    for note in vectors.notes:
        say(f"note: {note}")
    return vectors


def read_row_weights(config: Config, vectors: Vectors) -> np.ndarray | None:
    """Reads the weights [N] that the config names, if any, and tells what there was to tell."""
    if config.data.weights is None:
        return None
    weights, notes = read_weights(config.data.weights, len(vectors.rows), vectors.words)
    for note in notes:
        say(f"note: {note}")
    return weights


def summarize(problem: Problem, fitted: Fitted, learned: Learned) -> dict[str, Any]:
    """Computes the figures of `summary.json`: sizes, errors over all rows, held-out rows, speed."""

    def soft(feed):
        return problem.job.task.metrics(evaluate(problem.job, fitted.state, feed))

    codes, hard = learned.codes, learned.errors
    trained = code_errors(problem.table, learned.trained)
    everything, valid = soft(problem.table.everything()), {}
    if "valid" in hard:
        valid = {f"valid_{name}": value for name, value in hard["valid"].items()}
        valid["valid_soft_mean_l2"] = soft(problem.job.evaluations["valid"])["soft_mean_l2"]
    squared = ("mean_squared_l2", "weighted_mean_squared_l2")
    names = ("mean_l2", "mean_squared_l2", "relative_error", "weighted_mean_l2", squared[1])
    return {
        "num_rows": codes.num_rows,
        "dim": codes.dim,
        "num_codebooks": codes.num_codebooks,
        "num_codewords": codes.num_codewords,
        "bits_per_row": codes.bits_per_row,
        "codes_bytes": codes.codes_bytes,
        "codebook_bytes": codes.codebook_bytes,
        "compression_ratio": codes.compression_ratio(),
        **{name: hard["all"][name] for name in names if name in hard["all"]},
        **valid,
        **{f"unrefined_{name}": trained["all"][name] for name in squared if name in trained["all"]},
        "soft_mean_l2": everything["soft_mean_l2"],
        "max_probability": everything["max_probability"],
        "codebook_perplexity": hard["all"]["codebook_perplexity"],
        "dead_codewords": int(hard["all"]["dead_codewords"]),
        "num_steps": fitted.step,
        "train_seconds": fitted.train_seconds,
        "refine_seconds": learned.refine_seconds,
        "rows_per_second": fitted.step * problem.job.feed.batch_size / fitted.train_seconds,
    }


def export(codes: Codes, workdir: Path, words: bool) -> None:
    """Writes `WORKDIR/export/model.{safetensors,codes,codebook.npy}`."""
    if jax.process_index() == 0:
        folder = workdir / "export"
        folder.mkdir(exist_ok=True)
        codes.save(folder / CODES_FILE)
        codes.save_text(folder / "model", words=words)
