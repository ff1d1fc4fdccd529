"""A run from start to end: read, choose a size, train, refine, export, report; without flags.

Departure from the paper: codes and codebooks are refined after training (`learn_codes`), unless
`refine.num_rounds` is 0.
"""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.checkpoint import find_artefact, save_artefact
from jaxcompress.codes.extend import refine_with_groups
from jaxcompress.codes.files import CODES_FILE
from jaxcompress.codes.finish import store_as
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.refine import FOLDER
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.dccl.config import Config, refine_config
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.neighbours import show_neighbours
from jaxcompress.dccl.prepare import Problem, Source, prepare, read
from jaxcompress.dccl.report import make_page
from jaxcompress.dccl.report_rows import Run
from jaxcompress.dccl.sweep import plan
from jaxcompress.dccl.sweep_report import compare_sizes
from jaxcompress.dccl.target import settle_target
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import evaluate
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.page.page import leave_report, read_summary
from jaxcompress.engine.report import format_figures, say, write_summary
from jaxcompress.engine.start import fit_or_restore
from jaxcompress.engine.workdir import fingerprint, opened
from jaxcompress.errors import naming
from jaxcompress.storage.places import delete_folder


class Learned(NamedTuple):
    """What a trained state was made into.

    Attributes:
        trained: codes before refinement.
        codes: codes after it.
        errors: figures of `code_errors` after it.
        refine_seconds: seconds that refinement took, over all parts of the run.
    """

    trained: Codes
    codes: Codes
    errors: dict[str, dict[str, float]]
    refine_seconds: float


class Outcome(NamedTuple):
    """What a run ends with.

    Attributes:
        codes: of all rows.
        summary: the figures of `summary.json`; empty if nothing was evaluated.
    """

    codes: Codes
    summary: dict[str, Any]


def train(config: Config, workdir: str) -> Outcome:
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    return run(config, workdir, "train")


@own_settings
def run(config: Config, workdir: str, mode: str) -> Outcome | None:
    """Runs a mode in a workdir.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.
        mode: "train" trains, or goes on, and then evaluates and exports; "evaluate" and "export" do
            that of the best state so far; "sweep" compares sizes and does nothing else.

    Returns:
        The codes and their figures; None after a sweep.

    Raises:
        InputError: before anything is written, if the input or the config is invalid, or if there
            is no state to restore.
    """
    config.check()
    source = read(config)
    data = fingerprint(source.vectors.rows, source.vectors.words, source.weights)
    # Before the workdir is opened, so that nothing is written if the input is invalid.
    if mode == "sweep":
        with naming(source.vectors.source):
            sizes = plan(source.vectors.rows, config, say)
        with opened(workdir, config, data) as path:
            compare_sizes(source, sizes, config, path)
        return None
    problem = _prepare(source, config)
    with opened(workdir, config, data) as path:
        return _run_mode(problem, source.vectors, path, mode)


def _prepare(source: Source, config: Config) -> Problem:
    rows, _, _, name = source.vectors
    with naming(name):
        settled = settle_target(rows, config, say)
    return prepare(rows, settled, source.weights, source=name, say=say)


def _run_mode(problem: Problem, vectors: Vectors, path: Path, mode: str) -> Outcome:
    """Trains or restores, makes codes, then exports and evaluates as the mode says."""
    fitted = fit_or_restore(
        problem.job,
        path,
        is_training=mode == "train",
        data=f"{len(vectors.rows):,} x {vectors.rows.shape[1]} vectors of {vectors.source}",
    )
    learned = learn_codes(problem, fitted, vectors, path)
    summary = {}
    if mode != "evaluate":
        export(learned.codes, path, problem.config.export_words)
    if mode != "export":
        summary = summarize(problem, fitted, learned)
        say("\n" + format_figures(summary))
        show_neighbours(vectors.rows, learned.codes, problem.config.sample_words)
        title = f"DCCL, {summary['num_codebooks']} x {summary['num_codewords']}"
        write_summary(path, summary, title if problem.config.report else None)
    if mode != "evaluate":
        say(
            f"\nwrote {path}/export/model.safetensors, model.codes, model.codebook.npy; open "
            f'them with jaxcompress.load("{path}")'
        )
    config, codes = problem.config, learned.codes
    page = lambda: make_page(Run(path, config, vectors, codes, read_summary(path)))
    leave_report(path, config, page)
    return Outcome(learned.codes, summary)


def learn_codes(problem: Problem, fitted: Fitted, vectors: Vectors, path: Path) -> Learned:
    """Encodes, refines and stores, or takes the codes of this very state from the workdir.

    Args:
        problem: what was trained.
        fitted: the state, whose step tells it from others.
        vectors: names and source of the rows.
        path: the run's folder, opened; the codes are kept in it.
    """
    about = {"source": vectors.source, "step": str(int(fitted.state.step))}
    config = problem.config
    trained = to_codes(problem, fitted.state, vectors.words, about)
    if not config.export_encoder:
        trained = dataclasses.replace(trained, encoder=None)
    saved = find_artefact(path)
    if saved is not None and saved.metadata.get("step") == about["step"]:
        delete_refinement_checkpoints(path)
        saved = dataclasses.replace(saved, encoder=trained.encoder)
        errors = code_errors(problem.table, saved)
        return Learned(trained, saved, errors, float(saved.metadata["refine_seconds"]))
    refine = refine_config(config, len(problem.table.rows))
    if refine.num_rounds:
        say(f"{refine.num_rounds} rounds of refinement ...")
    refined = refine_with_groups(
        problem.table,
        trained,
        refine,
        config.model.num_groups,
        config.model.codebooks_per_group,
        seed=config.seed,
        workdir=path,
        label=about["step"],
        say=say,
        show_progress=jax.process_index() == 0,
    )
    about["refine_seconds"] = f"{refined.seconds:.3f}"
    stored = store_as(
        problem.table,
        refined.codes,
        config.codebook_type,
        seed=config.seed,
        num_rounds=min(1, refine.num_rounds),  # without refinement: codes of the encoder
        say=say,
    )
    errors = code_errors(problem.table, stored)
    about["mean_squared_l2"] = repr(errors["all"]["mean_squared_l2"])
    codes = dataclasses.replace(stored, metadata=about)
    save_artefact(path, codes)
    delete_refinement_checkpoints(path)
    return Learned(trained, codes, errors, refined.seconds)


def delete_refinement_checkpoints(path: Path) -> None:
    """Deletes the rounds that a finished refinement has kept in a workdir, on process 0."""
    if jax.process_index() == 0:
        delete_folder(path / FOLDER)


def summarize(problem: Problem, fitted: Fitted, learned: Learned) -> dict[str, Any]:
    """Computes the figures of `summary.json`.

    Returns:
        Sizes in bits and bytes, `file_bytes` those of the whole exported file; errors of the codes
        over all rows, and as `valid_*` over held-out ones; `unrefined_*` before refinement;
        `soft_*` of noisy draws; the use of codewords; steps, seconds and rows per second of
        training.
    """
    codes = learned.codes
    return {
        "num_rows": codes.num_rows,
        "dim": codes.dim,
        "num_codebooks": codes.num_codebooks,
        "num_codewords": codes.num_codewords,
        "bits_per_row": codes.bits_per_row,
        "codes_bytes": codes.codes_bytes,
        "codebook_bytes": codes.codebook_bytes,
        "file_bytes": codes.file_bytes(export_encoder=problem.config.export_encoder),
        "compression_ratio": codes.compression_ratio(),
        **_error_figures(problem, fitted, learned),
        "num_steps": fitted.step,
        "train_seconds": fitted.train_seconds,
        "refine_seconds": learned.refine_seconds,
        "rows_per_second": fitted.step * problem.job.feed.batch_size / fitted.train_seconds,
    }


def _error_figures(problem: Problem, fitted: Fitted, learned: Learned) -> dict[str, Any]:
    def soft(feed):
        return problem.job.task.metrics(evaluate(problem.job, fitted.state, feed))

    hard, valid = learned.errors["all"], {}
    trained = code_errors(problem.table, learned.trained)["all"]
    everything = soft(problem.table.everything())
    if "valid" in learned.errors:
        valid = {f"valid_{name}": value for name, value in learned.errors["valid"].items()}
        valid["valid_soft_mean_l2"] = soft(problem.job.evaluations["valid"])["soft_mean_l2"]
    squared = ("mean_squared_l2", "weighted_mean_squared_l2")
    names = ("mean_l2", "mean_squared_l2", "relative_error", "weighted_mean_l2", squared[1])
    return {
        **{name: hard[name] for name in names if name in hard},
        **valid,
        **{f"unrefined_{name}": trained[name] for name in squared if name in trained},
        "soft_mean_l2": everything["soft_mean_l2"],
        "max_probability": everything["max_probability"],
        "codebook_perplexity": hard["codebook_perplexity"],
        "dead_codewords": int(hard["dead_codewords"]),
    }


def export(codes: Codes, workdir: Path, words: bool) -> None:
    """Writes `WORKDIR/export/model.{safetensors,codes,codebook.npy}`, on process 0.

    Args:
        codes: the codes.
        workdir: the run's folder.
        words: whether the lines of `model.codes` start with the word.
    """
    if jax.process_index() == 0:
        folder = workdir / "export"
        folder.mkdir(exist_ok=True)
        codes.save(folder / CODES_FILE, export_encoder=codes.encoder is not None)
        codes.save_text(folder / "model", words=words)
