"""Compresses a table of vectors to codes: `python -m train.dccl --config configs/quickstart.py`.

`--mode sweep` measures what sizes of codes take and give, on a sample of the rows.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes its files anew. The same command again goes on with a run, or finds it finished.
"""

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress import coded_table, dccl, learn, loop, sweep
from jaxcompress import workdir as workdirs
from jaxcompress.checkpoint import find_artefact, save_artefact
from jaxcompress.codes_files import CODES_FILE
from jaxcompress.compressed import Codes, top
from jaxcompress.config import Arguments
from jaxcompress.data.stdlib_text import SOURCE
from jaxcompress.data.stdlib_vectors import stdlib_vectors
from jaxcompress.data.vectors import Vectors, read_vectors
from jaxcompress.data.weights import read_weights
from train import command_line, sizes
from train.command_line import say

MODES = ("train", "evaluate", "export", "sweep")


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


def train(config: dccl.Config, workdir: str) -> Outcome:
    """Trains (or goes on), evaluates and exports, with everything kept in `workdir`.

    Raises:
        InputError: before anything is written, where input or config are not possible.
    """
    return _run(config, workdir, "train")


def _run(config: dccl.Config, workdir: str, mode: str) -> Outcome | None:
    config.check()
    vectors, by_target, tried, problem = read(config), config.target_mb is not None, [], None
    weights = read_row_weights(config, vectors)
    if mode == "sweep" or (mode == "train" and by_target):
        tried = sweep.plan(vectors.rows, config, say)
    elif not by_target:
        problem = learn.prepare(vectors.rows, config, say, weights)
    data = workdirs.fingerprint(vectors.rows, vectors.words, weights)
    with workdirs.opened(workdir, config, data) as path:
        if tried:
            measured = sizes.compare(vectors, weights, tried, config, path)
        if mode == "sweep":
            return None
        if by_target:
            size = sweep.choose(measured) if tried else sweep.chosen(path / sizes.FILE)
            problem = learn.prepare(vectors.rows, sweep.with_size(config, size), say, weights)
        if mode == "train":
            say(
                f"{len(vectors.rows):,} x {vectors.rows.shape[1]} vectors of {vectors.source}; "
                f"{problem.job.num_steps:,} steps of {problem.job.feed.batch_size} rows on "
                f"{jax.device_count()} {jax.devices()[0].platform} device(s); workdir {path}"
            )
            fitted = loop.fit(problem.job, workdir=workdir, say=say)
        else:
            fitted = loop.restore_best(problem.job, workdir)
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
            command_line.write_summary(path, summary, title)
        if mode != "evaluate":
            say(
                f"\nwrote {path}/export/model.safetensors, model.codes, model.codebook.npy; open "
                f'them with jaxcompress.load("{workdir}")'
            )
    return Outcome(codes, summary)


def _learn_codes(
    problem: learn.Problem, fitted: loop.Fitted, vectors: Vectors, path: Path
) -> Learned:
    """Encodes and refines, or takes the refined codes of this very state from the artefact."""
    about = {"source": vectors.source, "step": str(int(fitted.state.step))}
    trained = learn.to_codes(problem, fitted.state, vectors.words, about)
    saved = find_artefact(path)
    if saved is not None and saved.metadata.get("step") == about["step"]:
        _forget_rounds(path)
        errors = coded_table.code_errors(problem.table, saved)
        return Learned(trained, saved, errors, float(saved.metadata["refine_seconds"]))
    if problem.config.refine.num_rounds:
        say(f"{problem.config.refine.num_rounds} rounds of refinement ...")
    refined = coded_table.refine_codes(
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
    errors = coded_table.code_errors(problem.table, refined.codes)
    about["mean_squared_l2"] = repr(errors["all"]["mean_squared_l2"])
    codes = dataclasses.replace(refined.codes, metadata=about)
    save_artefact(path, codes)
    _forget_rounds(path)
    return Learned(trained, codes, errors, refined.seconds)


def _forget_rounds(path: Path) -> None:
    """Deletes the rounds of a refinement that is done."""
    if jax.process_index() == 0:
        shutil.rmtree(path / coded_table.FOLDER, ignore_errors=True)


def read(config: dccl.Config) -> Vectors:
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


def read_row_weights(config: dccl.Config, vectors: Vectors) -> np.ndarray | None:
    """Reads the weights [N] that the config names, if any, and tells what there was to tell."""
    if config.data.weights is None:
        return None
    weights, notes = read_weights(config.data.weights, len(vectors.rows), vectors.words)
    for note in notes:
        say(f"note: {note}")
    return weights


def summarize(problem: learn.Problem, fitted: loop.Fitted, learned: Learned) -> dict[str, Any]:
    """Computes the figures of `summary.json`: sizes, errors over all rows, held-out rows, speed."""

    def soft(feed):
        return problem.job.task.metrics(loop.evaluate(problem.job, fitted.state, feed))

    codes, hard = learned.codes, learned.errors
    trained = coded_table.code_errors(problem.table, learned.trained)
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


def show(
    summary: dict[str, Any], codes: Codes, vectors: Vectors, sample_words: tuple[str, ...]
) -> None:
    """Prints the table, and the codes and neighbours of sample words before and after."""
    say("\n" + command_line.table(summary))
    present = [word for word in sample_words if word in codes]
    absent = [word for word in sample_words if word not in codes]
    if present:
        say("\ncodes and nearest neighbours (cosine): by the original vectors, by the codes")
        before = nearest_rows(vectors.rows, [codes.id_of(word) for word in present], 6)
        for word, neighbours in zip(present, before, strict=True):
            say(f"{word}\t{' '.join(map(str, codes.codes[codes.id_of(word)]))}")
            say("  original  " + _list((codes.word_of(i), cosine) for i, cosine in neighbours))
            say("  codes     " + _list(codes.nearest(word, 6)))
    if absent:
        say(f"sample words that are not in the table: {', '.join(absent)}")


def _list(neighbours: Any) -> str:
    text = ", ".join(f"{word} {cosine:.2f}" for word, cosine in neighbours)
    return text.encode("utf-8", "replace").decode()


def nearest_rows(rows: np.ndarray, ids: list[int], count: int) -> list[list[tuple[int, float]]]:
    """Finds the rows of largest cosine with each of the rows `ids`, in chunks of the table."""
    queries = np.asarray(rows[ids], np.float32)
    queries /= np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-30)
    cosines = np.empty((len(rows), len(ids)), np.float32)
    for start in range(0, len(rows), 8192):
        chunk = np.asarray(rows[start : start + 8192], np.float32)
        norms = np.maximum(np.linalg.norm(chunk, axis=1, keepdims=True), 1e-30)
        cosines[start : start + 8192] = (chunk @ queries.T) / norms
    cosines[ids, range(len(ids))] = -np.inf
    best = [top(column, min(count, len(rows) - 1)) for column in cosines.T]
    return [[(int(i), float(cosines[i, q])) for i in found] for q, found in enumerate(best)]


def export(codes: Codes, workdir: Path, words: bool) -> None:
    """Writes `WORKDIR/export/model.{safetensors,codes,codebook.npy}`."""
    if jax.process_index() == 0:
        folder = workdir / "export"
        folder.mkdir(exist_ok=True)
        codes.save(folder / CODES_FILE)
        codes.save_text(folder / "model", words=words)


def _main(arguments: Arguments) -> None:
    config, workdir = command_line.config_and_workdir(arguments, dccl.Config)
    _run(config, workdir, arguments.mode)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return command_line.run(_main, sys.argv if argv is None else argv, MODES)


if __name__ == "__main__":
    sys.exit(main())
