"""From a text and a config to a job: `read` the text, then `prepare` it. Nothing is trained here.

Axis letters: V words, D units.
"""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.data.batches import Feed
from jaxcompress.data.text.corpus import END, SPLITS, Corpus, read_corpus
from jaxcompress.data.text.lanes import (
    as_stream,
    evaluation_lanes,
    steps_per_epoch,
    training_lanes,
)
from jaxcompress.engine.job import Job
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.steps import make_engine
from jaxcompress.engine.workdir import fingerprint
from jaxcompress.errors import InputError
from jaxcompress.loading import read_rows
from jaxcompress.storage.names import number_rows
from jaxcompress.tables.adapt import evaluation_period
from jaxcompress.tying.config import Config
from jaxcompress.tying.tables import Tables, make_tables
from jaxcompress.tying.task import make_optimizer, make_task

_EVAL_TOKENS = 2048  # tokens, of all lanes, in a batch of an evaluation


class Problem(NamedTuple):
    """A text and a config, made ready for the loop.

    Attributes:
        config: what was asked for.
        job: what the loop runs. Its config has `eval_every` filled in: an epoch, or a 24th of the
            steps if that is less and a table of anchors grows or is pruned. The best state has
            the least perplexity of the validation split, read in `config.eval_lanes` lanes.
        corpus: the text.
        splits: by name, the positions of the split's tokens in the job's stream.
        steps_per_epoch: whole batches of the training split.
        known: bool [V], the words whose first values were read from `config.data.vectors`; None if
            it names none.
        tables: those that are not dense.
        fingerprint: a hash of tokens and words.
    """

    config: Config
    job: Job
    corpus: Corpus
    splits: dict[str, range]
    steps_per_epoch: int
    known: np.ndarray | None
    tables: Tables
    fingerprint: str


def make_problem(config: Config) -> Problem:
    """Reads the text that a config names, and makes it ready for the loop.

    >>> from jaxcompress import tying
    >>> problem = make_problem(tying.Config(data=tying.DataConfig(max_vocab=100)))
    >>> len(problem.corpus.words), problem.job.num_steps == 40 * problem.steps_per_epoch
    (100, True)

    Raises:
        InputError: if the config is invalid, or the text is, or they do not fit together.
    """
    return prepare(read(config), config)


def read(config: Config) -> Corpus:
    """Reads the text that a config names.

    Raises:
        InputError: if the config is invalid, or the text is.
    """
    config.check()
    data = config.data
    return read_corpus(data.path, vocabulary=data.vocabulary, max_vocab=data.max_vocab)


@own_settings
def prepare(corpus: Corpus, config: Config) -> Problem:
    """Makes task, optimiser, feeds and engine of a text, and reads the given rows of the embedding.

    Raises:
        InputError: if the text, the vectors and the config do not fit together.
    """
    stream, splits = as_stream(corpus.splits, corpus.words.index(END))
    per_epoch = steps_per_epoch(splits["train"], config.batch_size, config.unroll)
    if per_epoch < 1:
        raise InputError(
            f"{corpus.source}: the train split has {len(splits['train']):,} tokens; expected at "
            f"least batch_size x unroll = {config.batch_size} x {config.unroll}; lower one of them."
        )
    num_steps = config.num_steps or max(1, round(config.num_epochs * per_epoch))
    eval_every = config.eval_every or _evaluation_period(config, num_steps, per_epoch)
    embedding, known = read_embedding(config, corpus.words)
    tables = make_tables(config, corpus.words, corpus.splits["train"], num_steps, eval_every)
    task = make_task(config.model, len(corpus.words), per_epoch, embedding, known, tables)
    tx = make_optimizer(config.optimizer, per_epoch, config.table_configs(), tables)
    feed = training_lanes(splits["train"], config.batch_size, config.unroll, config.rotate_lanes)
    engine = make_engine(config.parallel, config.batch_size, task, tx, feed.gather)
    name = f"valid-{config.eval_lanes}-lanes"
    job = Job(
        task=task,
        tx=tx,
        engine=engine,
        data=engine.place_data(stream),
        feed=feed,
        evaluations={name: make_evaluation(splits["valid"], config.eval_lanes)},
        config=dataclasses.replace(config, eval_every=eval_every),
        num_steps=num_steps,
        best_metric=f"{name}_perplexity",
        best_from=max((plan.best_from for plan in tables.plans.values()), default=0),
    )
    return Problem(config, job, corpus, splits, per_epoch, known, tables, _fingerprint(corpus))


def _evaluation_period(config: Config, num_steps: int, per_epoch: int) -> int:
    """Steps between evaluations: an epoch, or less if tables change by what is found."""
    tables = config.table_configs().values()
    if any(t.kind == "nbant" or t.nonzeros is not None for t in tables):
        return evaluation_period(per_epoch, num_steps)
    return per_epoch


def make_evaluation(split: range, num_lanes: int) -> Feed:
    """Makes batches of a split's tokens, each once, in so many lanes."""
    unroll = max(1, _EVAL_TOKENS // num_lanes)
    return evaluation_lanes(split, num_lanes, unroll, multiple=jax.device_count())


def read_embedding(config: Config, words: list[str]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Reads the first values of the embedding from `config.data.vectors`.

    Args:
        config: names vectors or a compressed table, or none.
        words: the words of the V rows.

    Returns:
        float32 [V, D], zero for words that have no vector; bool [V], the words that have one. None
        and None if the config names no vectors.

    Raises:
        InputError: if there are no vectors, or they do not fit the model or the words.
    """
    path = config.data.vectors
    if path is None:
        return None, None
    source = read_rows(path, config.data.tensor)
    names, table = source.words, source.rows
    if names is None:
        raise InputError(f"{path}: its rows have no names; expected a word for each row.")
    if table.shape[1] != config.model.hidden_size:
        raise InputError(
            f"{path}: {table.shape[1]} dimensions; model.hidden_size is "
            f"{config.model.hidden_size}; set --config.model.hidden_size={table.shape[1]}."
        )
    ids = number_rows(names)
    rows = np.array([ids.get(word, -1) for word in words])
    known = rows >= 0
    if not known.any():
        raise InputError(f"{path}: none of its words is one of the text's {len(words):,}.")
    return np.where(known[:, None], table[rows], 0).astype(np.float32), known


def _fingerprint(corpus: Corpus) -> str:
    stream = np.concatenate([corpus.splits[split] for split in SPLITS])
    return fingerprint(stream[:, None], corpus.words)
