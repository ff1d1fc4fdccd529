"""A run from start to end: read, choose a size, train, refine, export, report; without flags."""

from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.codebook_types import count_bytes, is_folded
from jaxcompress.codes.files import CODES_FILE
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.placed import PlacedCodes
from jaxcompress.codes.sizes import Size
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.learn import Learned, learn_codes
from jaxcompress.dccl.neighbours import show_neighbours
from jaxcompress.dccl.prepare import Problem, Source, prepare, read
from jaxcompress.dccl.report import make_page
from jaxcompress.dccl.report_rows import Run
from jaxcompress.dccl.split import as_split, settle_shard, shards_of
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
from jaxcompress.storage import places


class Outcome(NamedTuple):
    """What a run ends with.

    Attributes:
        codes: of all rows; None if the table is split by rows, whose codes are in the file that is
            exported.
        summary: the figures of `summary.json`; empty if nothing was evaluated.
    """

    codes: Codes | None
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
    rows, words, *_ = source.vectors
    config = as_split(config, workdir) or settle_shard(rows, config, say)
    data = fingerprint(rows, words, source.weights, shards_of(len(rows), config))
    # Before the workdir is opened, so that nothing is written if the input is invalid.
    if mode == "sweep":
        with naming(source.vectors.source):
            sizes = plan(rows, config, say)
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
    codes, config = learned.codes, problem.config
    if mode != "evaluate" and isinstance(codes, Codes):
        export(codes, path, config.export_words)
    if mode != "export":
        summary = summarize(problem, fitted, learned, path)
        say("\n" + format_figures(summary))
        if isinstance(codes, Codes):
            show_neighbours(vectors.rows, codes, config.sample_words)
        title = f"DCCL, {summary['num_codebooks']} x {summary['num_codewords']}"
        write_summary(path, summary, title if config.report else None)
    if not isinstance(codes, Codes):
        say(
            f"\nthe codes are in {path}/export/{CODES_FILE}; open them with "
            f'jaxcompress.load("{path}")'
        )
        say(
            "note: codes of a table that is split by rows have no text files, neighbours or "
            "report.html."
        )
        return Outcome(None, summary)
    if mode != "evaluate":
        say(
            f"\nwrote {path}/export/{CODES_FILE}, model.codes, model.codebook.npy; open "
            f'them with jaxcompress.load("{path}")'
        )
    page = lambda: make_page(Run(path, config, vectors, codes, read_summary(path)))
    leave_report(path, config, page)
    return Outcome(codes, summary)


def summarize(problem: Problem, fitted: Fitted, learned: Learned, path: Path) -> dict[str, Any]:
    """Computes the figures of `summary.json`.

    Args:
        problem: what was trained.
        fitted: the state.
        learned: its codes.
        path: the run's folder.

    Returns:
        Sizes in bits and bytes, `file_bytes` those of the whole exported file; errors of the codes
        over all rows, and as `valid_*` over held-out ones; `unrefined_*` before refinement;
        `soft_*` of noisy draws; the use of codewords; steps, seconds and rows per second of
        training.
    """
    return {
        **_sizes(problem, learned.codes, path),
        **_error_figures(problem, fitted, learned),
        "num_steps": fitted.step,
        "train_seconds": fitted.train_seconds,
        "refine_seconds": learned.refine_seconds,
        "rows_per_second": fitted.step * problem.job.feed.batch_size / fitted.train_seconds,
    }


def _sizes(problem: Problem, codes: Codes | PlacedCodes, path: Path) -> dict[str, Any]:
    num_rows = len(problem.table.rows)
    num_codebooks, num_codewords, dim = shape = codes.codebooks.shape
    size = Size(num_codebooks, num_codewords)
    is_short = is_folded(codes.codebooks, codes.groups)
    codes_bytes = num_rows * size.bytes_per_row
    codebook_bytes = count_bytes(shape, codes.codebook_type, is_short, codes.groups)
    if isinstance(codes, Codes):
        file_bytes = codes.file_bytes(export_encoder=problem.config.export_encoder)
    else:
        file_bytes = places.count_bytes(path / "export" / CODES_FILE)
    return {
        "num_rows": num_rows,
        "dim": dim,
        "num_codebooks": num_codebooks,
        "num_codewords": num_codewords,
        "bits_per_row": size.bits_per_row,
        "codes_bytes": codes_bytes,
        "codebook_bytes": codebook_bytes,
        "file_bytes": file_bytes,
        "compression_ratio": 4 * num_rows * dim / (codes_bytes + codebook_bytes),
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
