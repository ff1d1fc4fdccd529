"""Perplexities of a trained run: of its own embedding, or of another table in its place.

`perplexity` and `evaluate_codes` need a workdir alone; the others take what a run has at hand.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.compressed.of_words import rows_of_words
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.data.text.corpus import SPLITS
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import evaluate, restore_best
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.task import TrainState
from jaxcompress.engine.workdir import as_begun, opened, read_config
from jaxcompress.errors import InputError
from jaxcompress.loading import load
from jaxcompress.tying.config import Config, describe
from jaxcompress.tying.prepare import Problem, make_evaluation, make_problem
from jaxcompress.tying.tables import with_kept_codes
from jaxcompress.tying.task import make_hidden_sums

_MOMENT_TOKENS = 2**20  # training tokens whose hidden states are looked at


class Restored(NamedTuple):
    """A run, opened to be evaluated.

    Attributes:
        problem: its text and its config, made ready.
        state: the best state that it has reached.
    """

    problem: Problem
    state: TrainState


@own_settings
def perplexity(
    workdir: str | os.PathLike, split: str = "test", *, config: Config | None = None
) -> float:
    """Computes the perplexity of a trained run on a split of its text.

    It is exp(negative log-likelihood / tokens) of the best state so far: the whole split as one
    lane from its first token, every token counted, ends of lines too, the state of the LSTM carried
    throughout.

    Args:
        workdir: the folder of a run, finished or not.
        split: "train", "valid" or "test".
        config: the run's config, if its text lies elsewhere now; None: as the run keeps it.

    Raises:
        InputError: if there is no such run or split, the run has no checkpoint yet or is under way,
            or the text is another one.
    """
    if split not in SPLITS:
        raise InputError(f"no split {split!r}; there are {', '.join(SPLITS)}.")
    return split_perplexity(*_restore(workdir, config), split)


@own_settings
def evaluate_codes(
    workdir: str | os.PathLike,
    codes: CompressedTable | str | os.PathLike,
    *,
    config: Config | None = None,
) -> dict[str, Any]:
    """Computes perplexities with a compressed table as embedding, and as classifier if tied.

    Args:
        workdir: the folder of a run, finished or not.
        codes: codes, anchors, or what `jaxcompress.load` opens. Each word of the model has its row.
        config: the run's config, if its text lies elsewhere now; None: as the run keeps it.

    Returns:
        `compressed`, "embedding and classifier" or "embedding"; bytes `embedding_bytes`, of float32
        rows, and `compressed_bytes`, of `num_bytes()`; `valid_perplexity` and
        `test_perplexity` with the run's own embedding, `compressed_valid_perplexity` and
        `compressed_test_perplexity` with the compressed table.

    Raises:
        InputError: as `perplexity` does, or if there is no table, or it does not fit the model.
    """
    return codes_figures(*_restore(workdir, config), codes)


def _restore(workdir: str | os.PathLike, config: Config | None) -> Restored:
    """Reads a run's text and its best state."""
    saved = read_config(workdir, Config)
    given = saved if config is None else as_begun(config, workdir)
    problem = make_problem(with_kept_codes(given, workdir))
    with opened(workdir, problem.config, problem.fingerprint):
        return Restored(problem, restore_best(problem.job, workdir).state)


def split_perplexity(problem: Problem, state: TrainState, split: str) -> float:
    """Computes the perplexity of a whole split as one lane, every token counted."""
    job = problem.job
    sums = evaluate(job, state, make_evaluation(problem.splits[split], 1))
    return job.task.metrics(sums)["perplexity"]


def hidden_second_moment(problem: Problem, state: TrainState) -> np.ndarray:
    """Computes the mean of h h^T over the hidden states h of training tokens, nothing dropped.

    An error e of a row of the classifier changes the logit of its word by h.e, whose mean square is
    e^T H e for this H: it says which directions of the table matter.

    Args:
        problem: a text and a config.
        state: a trained state.

    Returns:
        float32 [D, D], over the first 2**20 tokens at most, which are read in
        `config.batch_size` lanes.
    """
    job, config = problem.job, problem.config
    sum_hidden = make_hidden_sums(config.model, len(problem.corpus.words), problem.tables)
    job = job._replace(task=job.task._replace(evaluate=sum_hidden))
    feed = make_evaluation(problem.splits["train"][:_MOMENT_TOKENS], config.batch_size)
    sums = evaluate(job, state, feed)
    return (sums["second_moment"] / sums["count"]).astype(np.float32)


def table_artefacts(problem: Problem, state: TrainState) -> dict[str, CompressedTable]:
    """Makes what is kept of the tables that are not dense, by their names."""
    return problem.tables.artefacts(*jax.device_get((state.params, state.aux)))


def summarize(problem: Problem, fitted: Fitted) -> dict[str, Any]:
    """Computes the figures of `summary.json`.

    Returns:
        Names of text and model; numbers of words, of tokens of each split and of parameters; bytes
        of tables that are not dense, `embedding_bytes` and `classifier_bytes`, as they are kept;
        perplexities of whole splits; epochs until the best state and in all; seconds, and tokens
        per second, of training.
    """
    config, corpus, state = problem.config, problem.corpus, fitted.state
    tokens_seen = fitted.step * config.batch_size * config.unroll
    return {
        "dataset": Path(corpus.source).name,
        "variant": describe(config),
        "vocab_size": len(corpus.words),
        **{f"{split}_tokens": len(corpus.splits[split]) for split in SPLITS},
        "num_parameters": sum(x.size for x in jax.tree.leaves(state.params)),
        **{f"{n}_bytes": t.num_bytes() for n, t in table_artefacts(problem, state).items()},
        "valid_perplexity": split_perplexity(problem, state, "valid"),
        "test_perplexity": split_perplexity(problem, state, "test"),
        "best_epoch": int(state.step) / problem.steps_per_epoch,
        "num_epochs": fitted.step / problem.steps_per_epoch,
        "train_seconds": fitted.train_seconds,
        "tokens_per_second": tokens_seen / fitted.train_seconds,
    }


def codes_figures(
    problem: Problem, state: TrainState, codes: CompressedTable | str | os.PathLike
) -> dict[str, Any]:
    """Computes what `evaluate_codes` returns, of a state."""
    is_table = isinstance(codes, CompressedTable)
    given = codes if is_table else load(codes)
    words, dim = problem.corpus.words, problem.config.model.hidden_size
    ids = rows_of_words(given, words, dim, "" if is_table else str(codes))
    table = problem.job.engine.place_shared(jnp.asarray(given.decode(ids)))
    compressed = state.replace(params={**state.params, "embedding": table})
    both = "embedding and classifier" if "classifier" not in state.params else "embedding"
    return {
        "compressed": both,
        "embedding_bytes": 4 * len(words) * dim,
        "compressed_bytes": given.num_bytes(),
        **{
            f"{prefix}{split}_perplexity": split_perplexity(problem, some, split)
            for split in ("valid", "test")
            for prefix, some in (("", state), ("compressed_", compressed))
        },
    }
