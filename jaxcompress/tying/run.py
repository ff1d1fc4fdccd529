"""Trains a language model: `python -m train.tying --config configs/ptb.py:small-real`.

`--mode evaluate` computes the figures of a finished or half-finished run anew (with `--codes FILE`
those of a compressed table in the embedding's place), `--mode export` writes its embedding,
`--mode predict` and `--mode generate` go on from a text, `--mode compare` lays runs side by side.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.data.text.corpus import END, SPLITS, Corpus, read_corpus
from jaxcompress.data.vectors.files import write_rows
from jaxcompress.engine import report
from jaxcompress.engine import workdir as engine_workdir
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import evaluate, fit, restore_best
from jaxcompress.engine.report import say, write_summary
from jaxcompress.engine.task import TrainState
from jaxcompress.engine.workdir import opened
from jaxcompress.errors import InputError
from jaxcompress.loading import load
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import write_names
from jaxcompress.tying import predict as tying_predict
from jaxcompress.tying.config import Config, describe
from jaxcompress.tying.predict import Reader, read_text
from jaxcompress.tying.prepare import Problem, _evaluation, prepare


class Outcome(NamedTuple):
    """The best state's parameters, the words of the embedding's rows, and `summary.json`."""

    params: dict[str, Any]
    words: list[str]
    summary: dict[str, Any]


def train(config: Config, workdir: str) -> Outcome:
    """Trains (or goes on), evaluates and exports, with everything kept in `workdir`.

    Raises:
        InputError: before anything is written, where input or config are not possible.
    """
    return run(config, workdir, "train")


def run(config: Config, workdir: str, mode: str, codes: str = "") -> Outcome:
    config.check()
    corpus = read_corpus(
        config.data.path, vocabulary=config.data.vocabulary, max_vocab=config.data.max_vocab
    )
    for note in corpus.notes:
        say(f"note: {note}")
    problem = prepare(corpus, config)
    job = problem.job
    stream = np.concatenate([corpus.splits[split] for split in SPLITS])
    fingerprint = engine_workdir.fingerprint(stream[:, None], corpus.words)
    with opened(workdir, config, fingerprint) as path:
        if mode == "train":
            _write_vocabulary(path, corpus.words)
            say(
                f"{len(corpus.splits['train']):,} tokens of {corpus.source}, "
                f"{len(corpus.words):,} words; {job.num_steps:,} steps "
                f"({job.num_steps / problem.steps_per_epoch:.3g} epochs) of {config.batch_size} x "
                f"{config.unroll} tokens on {jax.device_count()} {jax.devices()[0].platform} "
                f"device(s); workdir {path}"
            )
            fitted = fit(job, workdir=workdir, say=say)
        else:
            fitted = restore_best(job, workdir)
            say(f"step {fitted.step:,} of {job.num_steps:,}, the best so far")
        summary = {}
        if mode == "evaluate" and codes:
            say(
                "\n" + report.format_figures(with_codes(problem, fitted.state, corpus.words, codes))
            )
        elif mode != "export":
            summary = summarize(problem, corpus, config, fitted)
            say("\n" + report.format_figures(summary))
            write_summary(path, summary, f"{describe(config)}, {summary['dataset']}")
        if mode != "evaluate":
            export(fitted.state, corpus.words, path)
            say(f"\nwrote {path}/export/embedding.npy and embedding.words.txt; compress them with "
                f"python -m train.dccl --config configs/glove.py "
                f"--config.data.path={path}/export/embedding.npy")  # fmt: skip
    return Outcome(jax.device_get(fitted.state.params), corpus.words, summary)


def perplexity(problem: Problem, state: TrainState, split: str) -> float:
    """The perplexity of a whole split as one lane, every token counted."""
    feed = _evaluation(problem.splits[split], 1)
    job = problem.job
    return job.task.metrics(evaluate(job, state, feed))["perplexity"]


def summarize(problem: Problem, corpus: Corpus, config: Config, fitted: Fitted) -> dict[str, Any]:
    """Computes the figures of `summary.json`."""
    params = fitted.state.params
    seen = fitted.step * config.batch_size * config.unroll
    return {
        "dataset": Path(corpus.source).name,
        "variant": describe(config),
        "vocab_size": len(corpus.words),
        **{f"{split}_tokens": len(corpus.splits[split]) for split in SPLITS},
        "num_parameters": sum(x.size for x in jax.tree.leaves(params)),
        "valid_perplexity": perplexity(problem, fitted.state, "valid"),
        "test_perplexity": perplexity(problem, fitted.state, "test"),
        "best_epoch": int(fitted.state.step) / problem.steps_per_epoch,
        "num_epochs": fitted.step / problem.steps_per_epoch,
        "train_seconds": fitted.train_seconds,
        "tokens_per_second": seen / fitted.train_seconds,
    }


def with_codes(problem: Problem, state: TrainState, words: list[str], path: str) -> dict[str, Any]:
    """The figures with a compressed table in the embedding's place: as classifier too, if tied."""
    codes = load(path)
    original = state.params["embedding"]
    if codes.dim != original.shape[1]:
        raise InputError(f"{path}: {codes.dim} dimensions; the embedding has {original.shape[1]}.")
    absent = [word for word in words if word not in codes]
    if absent:
        raise InputError(
            f"{path}: {len(absent):,} of the model's {len(words):,} words are not in it, "
            f"{absent[0]!r} among them; compress the model's own export/embedding.npy."
        )
    table = codes.decode(np.array([codes.id_of(word) for word in words]))
    table = problem.job.engine.place_shared(jnp.asarray(table))
    compressed = state.replace(params={**state.params, "embedding": table})
    both = "embedding and classifier" if "classifier" not in state.params else "embedding"
    return {
        "compressed": both,
        "embedding_bytes": 4 * original.size,
        "compressed_bytes": codes.num_bytes(),
        **{
            f"{name}{split}_perplexity": perplexity(problem, some, split)
            for split in ("valid", "test")
            for name, some in (("", state), ("compressed_", compressed))
        },
    }


def export(state: TrainState, words: list[str], workdir: Path) -> None:
    """Writes `WORKDIR/export/embedding.npy` [V, D] and its `embedding.words.txt`."""
    if jax.process_index() == 0:
        write_rows(workdir / "export", state.params["embedding"], words)


def _write_vocabulary(workdir: Path, words: list[str]) -> None:
    if jax.process_index() == 0:
        with atomic_write(workdir / "vocabulary.txt") as partial:
            write_names(partial, words)


def generate_text(
    reader: Reader, text: str, num_tokens: int, temperature: float, seed: int = 0
) -> str:
    """Continues a text; an end of line is a line break."""
    ids, _ = read_text(reader, text)
    drawn = tying_predict.generate(
        jax.random.key(seed), reader.params, reader.config, jnp.array(ids), num_tokens, temperature
    )
    return re.sub(f" ?{END} ?", "\n", " ".join(reader.words[i] for i in drawn))
