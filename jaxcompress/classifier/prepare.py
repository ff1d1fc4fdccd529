"""From labelled texts, a table of words and a config to a job. Trains nothing.

Axis letters: B texts, T tokens, V rows of the table.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.classifier.config import Config
from jaxcompress.classifier.corpus import (
    Corpus,
    corpus_fingerprint,
    known_shares,
    num_valid_texts,
    number_tokens,
)
from jaxcompress.classifier.feeds import (
    evaluation_feed,
    find_seen_once,
    make_feeds,
    make_gather,
    settle,
    split_corpus,
)
from jaxcompress.classifier.tables import Source, make_table, plan_growth
from jaxcompress.classifier.task import make_classify, make_optimizer, make_task
from jaxcompress.codes.artefact import Codes
from jaxcompress.data.batches import Feed
from jaxcompress.data.labelled import buckets
from jaxcompress.data.labelled.buckets import TextSpans, cut_texts
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.engine.job import Job
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.steps import make_engine
from jaxcompress.engine.workdir import fingerprint
from jaxcompress.errors import InputError
from jaxcompress.loading import read_table
from jaxcompress.tables import WordTable
from jaxcompress.tables.adapt import evaluation_period


class Problem(NamedTuple):
    """A run, made ready: its config, its job, and what was read.

    Attributes:
        config: the run's, in which nothing is left open.
        job: what the loop runs, with `config.seed`: the texts that are held out, the order of the
            others, the first values. Its config has the periods filled in and `num_seeds` 1.
        classify: parameters and a batch -> logits, as `make_classify` makes it.
        corpus: the texts.
        texts: where they lie among the tokens, cut to `config.data.max_tokens`.
        table: what gives words their vectors.
        known: the share of each split's tokens that have a row in the table.
        steps_per_epoch: whole batches of the texts to train on.
        fingerprint: a hash of tokens, labels and table.
        choice: what was chosen on validation texts, as `choose` gives it; None: nothing was open.
    """

    config: Config
    job: Job
    classify: Callable[..., jax.Array]
    corpus: Corpus
    texts: TextSpans
    table: WordTable
    known: dict[str, float]
    steps_per_epoch: int
    fingerprint: str
    choice: dict[str, Any] | None = None


def read_source(config: Config) -> Source:
    """Reads the table that the config names; None if it names none.

    Raises:
        InputError: if there are none, or they are damaged.
    """
    return None if config.vectors is None else read_table(config.vectors, config.data.tensor)


@own_settings
def prepare(corpus: Corpus, source: Source, config: Config) -> Problem:
    """Makes task, optimiser, data on the devices and feeds, for the config's first seed.

    Args:
        corpus: the texts.
        source: what `config.vectors` names, as `read_source` reads it.
        config: the run's.

    Raises:
        InputError: if they do not fit together.
    """
    config.check()
    config = settle(corpus, config)
    steps_per_epoch = _steps_per_epoch(corpus, config)
    num_steps = config.num_steps or max(1, round(config.num_epochs * steps_per_epoch))
    eval_every = config.eval_every or _evaluation_period(config, num_steps, steps_per_epoch)
    growth = plan_growth(config, num_steps, eval_every)
    table = make_table(corpus, source, config, growth)
    tokens = number_tokens(corpus, table.words)
    known = known_shares(corpus, tokens != len(table.words))
    if not any(known.values()):
        raise InputError(f"{config.vectors}: it has none of the words of {corpus.text.source}.")
    classify = make_classify(config.model, len(corpus.text.classes), table.embedding)
    task = make_task(config.model, len(corpus.text.classes), table.embedding, table.dim)
    tx = make_optimizer(config.optimizer, num_steps, table.embedding)
    gather, seen_once = make_gather(table), find_seen_once(corpus, tokens, table)
    engine = make_engine(config.parallel, config.batch_size, task, tx, gather)
    data = config.data
    texts = cut_texts(corpus.numbered.bounds, corpus.labels, data.max_tokens, data.keep)
    feed, evaluations = make_feeds(corpus, texts, config, gather)
    job = Job(
        task=task,
        tx=tx,
        engine=engine,
        data=engine.place_data({"tokens": tokens, "table": table.data, "seen_once": seen_once}),
        feed=feed,
        evaluations=evaluations,
        config=dataclasses.replace(config, num_seeds=1, eval_every=eval_every),
        num_steps=num_steps,
        best_metric="valid_cross_entropy",
        best_from=growth.plan.best_from if growth else 0,
    )
    return Problem(
        config=config,
        job=job,
        classify=classify,
        corpus=corpus,
        texts=texts,
        table=table,
        known=known,
        steps_per_epoch=steps_per_epoch,
        fingerprint=corpus_fingerprint(corpus, tokens, table.words) + _source_fingerprint(source),
    )


def with_seed(problem: Problem, seed: int) -> Problem:
    """Makes the problem of one other seed; placed data and compiled programs are shared."""
    config, job = dataclasses.replace(problem.config, seed=seed, num_seeds=1), problem.job
    feed, evaluations = make_feeds(problem.corpus, problem.texts, config, job.feed.gather)
    seeded = dataclasses.replace(job.config, seed=seed)
    job = job._replace(feed=feed, evaluations=evaluations, config=seeded)
    return problem._replace(config=config, job=job)


def make_test_feed(problem: Problem) -> Feed:
    """Makes the batches of all test texts, each once."""
    return make_feed(problem, np.array(problem.corpus.ranges["test"]))


def make_feed(problem: Problem, ids: np.ndarray) -> Feed:
    """Makes the batches of some texts, int [n], each once, the shortest first."""
    return evaluation_feed(problem.texts.take(ids), problem.config, problem.job.feed.gather)


def split_ids(problem: Problem) -> dict[str, np.ndarray]:
    """Lists the ids of each split, int [texts], those that are held out among them."""
    return split_corpus(problem.corpus, problem.config)


def _steps_per_epoch(corpus: Corpus, config: Config) -> int:
    num_valid = num_valid_texts(corpus, config.data.valid_texts)
    num_train = len(corpus.ranges["train"]) - num_valid
    num_steps = buckets.steps_per_epoch(num_train, config.batch_size)
    if num_steps < 1:
        raise InputError(
            f"batch_size {config.batch_size} is more than the {num_train} texts to train on; "
            "lower it."
        )
    return num_steps


def _evaluation_period(config: Config, num_steps: int, steps_per_epoch: int) -> int:
    """Steps between evaluations: half an epoch, or less if the table changes by what is found."""
    usual = -(-steps_per_epoch // 2)
    return evaluation_period(usual, num_steps) if config.embedding == "nbant" else usual


def _source_fingerprint(source: Source) -> str:
    if source is None:
        return ""
    if isinstance(source, Codes):
        codewords = source.codebooks.reshape(-1, source.dim)
        return fingerprint(source.codes, None) + fingerprint(codewords, None)
    return fingerprint(source.rows if isinstance(source, Vectors) else source.decode(), None)
