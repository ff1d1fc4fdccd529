"""A run from start to end: read a text, train on it, evaluate, export, report; without flags.

What is done is printed as it is done; everything is kept in the workdir.
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.data.text.corpus import Corpus
from jaxcompress.data.vectors.files import write_rows
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.page.page import leave_report
from jaxcompress.engine.report import format_figures, say, write_json, write_summary
from jaxcompress.engine.start import fit_or_restore
from jaxcompress.engine.task import TrainState
from jaxcompress.engine.workdir import as_begun, opened
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import write_names
from jaxcompress.tying.config import Config, describe
from jaxcompress.tying.evaluate import (
    codes_figures,
    hidden_second_moment,
    summarize,
    table_artefacts,
)
from jaxcompress.tying.prepare import Problem, prepare, read
from jaxcompress.tying.reader import VOCABULARY, Reader
from jaxcompress.tying.report import CODES, make_page
from jaxcompress.tying.tables import keep_codes, with_kept_codes

MOMENT = "hidden_second_moment.npy"  # file of the exports: what the rows of the table meet


class Outcome(NamedTuple):
    """What a run ends with.

    Attributes:
        params: the parameters of the best state, NumPy, as `make_task` describes them.
        words: the V words, in the order of the embedding's rows.
        summary: the figures of `summary.json`; empty if they were not computed.
    """

    params: dict[str, Any]
    words: list[str]
    summary: dict[str, Any]


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
def run(config: Config, workdir: str, mode: str, codes: str = "") -> Outcome:
    """Runs a mode in a workdir.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.
        mode: "train" trains, or goes on, and then evaluates and exports; "evaluate" and "export" do
            that of the best state so far.
        codes: path of a compressed table; if one is given, "evaluate" measures what it gives in the
            embedding's place, and leaves `summary.json` as it is. "": none.

    Raises:
        InputError: before anything is written, if the input or the config is invalid, or if there
            is no state to restore.
    """
    config = with_kept_codes(as_begun(config, workdir), workdir)
    corpus = read(config)
    for note in corpus.notes:
        say(f"note: {note}")
    problem = prepare(corpus, config)
    _announce_known_words(problem)
    with opened(workdir, config, problem.fingerprint) as path:
        return _run_mode(problem, path, mode, codes)


def _announce_known_words(problem: Problem) -> None:
    if problem.known is not None:
        counts = f"{int(problem.known.sum()):,} of {len(problem.known):,}"
        say(f"{counts} words have a vector in {problem.config.data.vectors}")


def _run_mode(problem: Problem, path: Path, mode: str, codes: str) -> Outcome:
    """Trains or restores, then evaluates and exports as the mode says."""
    corpus = problem.corpus
    if mode == "train":
        _write_vocabulary(corpus, path)
        keep_codes(problem.config, path)
    fitted = fit_or_restore(
        problem.job,
        path,
        is_training=mode == "train",
        data=f"{len(corpus.splits['train']):,} tokens of {corpus.source}, "
        f"{len(corpus.words):,} words",
        steps_per_epoch=problem.steps_per_epoch,
    )
    summary = {}
    if mode == "evaluate" and codes:
        figures = codes_figures(problem, fitted.state, codes)
        say("\n" + format_figures(figures))
        write_json(path / CODES, {"codes": str(codes), **figures})
    elif mode != "export":
        summary = summarize(problem, fitted)
        say("\n" + format_figures(summary))
        write_summary(
            path,
            summary,
            f"{describe(problem.config)}, {summary['dataset']}" if problem.config.report else None,
        )
    if mode != "evaluate":
        _announce_export(export(problem, fitted.state, path), path)
    params, aux = jax.device_get((fitted.state.params, fitted.state.aux))
    reader = Reader(problem.config.model, problem.tables.decoded(params, aux), corpus.words)
    leave_report(path, problem.config, lambda: make_page(path, problem.config, reader))
    return Outcome(params, corpus.words, summary)


def _announce_export(artefacts: dict[str, Path], workdir: Path) -> None:
    for name, file in artefacts.items():
        opener = workdir if name == "embedding" else file
        say(f'\nwrote {file}; open it with jaxcompress.load("{opener}")')
    if "embedding" not in artefacts:
        say(f"\nwrote {workdir}/export/embedding.npy, embedding.words.txt and "
            f"hidden_second_moment.npy; compress them with "
            f"python -m train.dccl --config configs/glove.py "
            f"--config.data.path={workdir}/export/embedding.npy")  # fmt: skip


def export(problem: Problem, state: TrainState, workdir: Path) -> dict[str, Path]:
    """Writes the files of `WORKDIR/export`, on process 0.

    They are `embedding.npy` float32 [V, D] and `embedding.words.txt`, or what is kept of an
    embedding that is not dense, which `jaxcompress.load` opens; `classifier.safetensors`, if that
    is not dense; and `hidden_second_moment.npy` float32 [D, D], as `hidden_second_moment` computes
    it.

    Args:
        problem: the run's text and config.
        state: a trained state.
        workdir: the run's folder.

    Returns:
        The files of tables that are not dense, by the tables' names.
    """
    second_moment = hidden_second_moment(problem, state)
    artefacts = table_artefacts(problem, state)
    folder = workdir / "export"
    files = {
        name: folder / (table.file_name if name == "embedding" else f"{name}.safetensors")
        for name, table in artefacts.items()
    }
    if jax.process_index() == 0:
        folder.mkdir(exist_ok=True)
        for name, table in artefacts.items():
            table.save(files[name])
        if "embedding" not in artefacts:
            write_rows(folder, state.params["embedding"], problem.corpus.words)
        with atomic_write(folder / MOMENT) as partial, open(partial, "wb") as stream:
            np.save(stream, second_moment)
    return files


def _write_vocabulary(corpus: Corpus, workdir: Path) -> None:
    """Writes the words that `open_reader` reads, on process 0."""
    if jax.process_index() == 0:
        with atomic_write(workdir / VOCABULARY) as partial:
            write_names(partial, corpus.words)
