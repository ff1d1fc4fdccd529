"""From labelled texts, a table of words and a config to a job: what the sentiment main runs."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxcompress.classifier.config import FROM_SCRATCH, Config
from jaxcompress.classifier.task import make_optimizer, make_task
from jaxcompress.codes.artefact import Codes
from jaxcompress.data.batches import Feed, split_rows
from jaxcompress.data.labelled import buckets as labelled_buckets
from jaxcompress.data.labelled.buckets import Texts, by_length, cut_texts, gather_tokens, shuffled
from jaxcompress.data.labelled.read import LabelledText
from jaxcompress.data.text.tokenizer import Numbered, number_texts
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.engine import workdir as engine_workdir
from jaxcompress.engine.job import Job
from jaxcompress.engine.steps import Engine, make_engine
from jaxcompress.engine.task import Task
from jaxcompress.errors import InputError
from jaxcompress.storage.names import number_rows
from jaxcompress.tables.anchors import anchor_table
from jaxcompress.tables.codes import frozen_codes, trained_codebooks
from jaxcompress.tables.dense import dense_table
from jaxcompress.tables.vectors import frozen_vectors
from jaxcompress.tables.word_table import WordTable

_EVAL_TEXTS = 256  # of a batch that is not trained on


class Corpus(NamedTuple):
    """Labelled texts as numbers.

    Attributes:
        text: as it was read.
        numbered: all its tokens, split after split.
        ranges: the texts of each split among those of `numbered`.
        labels: int32 [N] of all texts.
    """

    text: LabelledText
    numbered: Numbered
    ranges: dict[str, range]
    labels: np.ndarray


class Problem(NamedTuple):
    """A corpus, a table of words and a config, made ready for any seed.

    Attributes:
        config: the run's.
        corpus: the texts.
        texts: where they lie, cut to length.
        table: what gives words their vectors.
        known: share of the tokens, by split, that have a row in the table.
        fingerprint: of tokens, labels and table.
        num_valid: how many texts of those to train on are held out to choose by.
        steps_per_epoch: whole batches of the texts to train on.
        num_steps: steps in all.
        task: the method.
        tx: its optimiser.
        engine: the devices; seeds that share it share its compiled programs.
        data: what the engine placed.
        gather: makes batches of it.
    """

    config: Config
    corpus: Corpus
    texts: Texts
    table: WordTable
    known: dict[str, float]
    fingerprint: str
    num_valid: int
    steps_per_epoch: int
    num_steps: int
    task: Task
    tx: optax.GradientTransformation
    engine: Engine
    data: Any
    gather: Callable[[Any, dict], dict]


def number_corpus(text: LabelledText) -> Corpus:
    """Turns all texts into tokens, once for all tables of words that will read them."""
    ranges, start = {}, 0
    for split, some in text.texts.items():
        ranges[split] = range(start, start + len(some))
        start += len(some)
    numbered = number_texts(one for some in text.texts.values() for one in some)
    return Corpus(text, numbered, ranges, np.concatenate([text.labels[s] for s in ranges]))


def prepare(corpus: Corpus, source: Vectors | Codes | None, config: Config) -> Problem:
    """Makes task, data and engine.

    Args:
        corpus: the texts.
        source: what `config.vectors` names, opened.
        config: the run's; its seed has no part in this.

    Raises:
        InputError: where they do not fit.
    """
    config.check()
    table = _make_table(corpus, source, config)
    ids, unknown = number_rows(table.words), len(table.words)
    row_of = np.array([ids.get(word, unknown) for word in corpus.numbered.words], np.int32)
    tokens = row_of[corpus.numbered.ids]
    known = _known_shares(corpus, tokens != unknown)
    if not any(known.values()):
        raise InputError(f"{config.vectors}: none of the words of {corpus.text.source} is in it.")
    num_valid = _num_valid(corpus, config.data.valid_texts)
    num_train = len(corpus.ranges["train"]) - num_valid
    per_epoch = labelled_buckets.steps_per_epoch(num_train, config.batch_size)
    if per_epoch < 1:
        raise InputError(
            f"batch_size {config.batch_size} is more than the {num_train} texts to train on; "
            "lower it."
        )
    num_steps = config.num_steps or max(1, round(config.num_epochs * per_epoch))
    task = make_task(config.model, len(corpus.text.classes), table.embedding, table.dim)
    tx = make_optimizer(config.optimizer, num_steps, table.embedding)

    def gather(data: Any, index: dict) -> dict:
        batch = gather_tokens(data["tokens"], index)
        return {**batch, "tokens": table.gather(data["table"], batch.pop("ids"))}

    engine = make_engine(config.parallel, config.batch_size, task, tx, gather)
    return Problem(
        config=config,
        corpus=corpus,
        texts=cut_texts(
            corpus.numbered.bounds, corpus.labels, config.data.max_tokens, config.data.keep
        ),
        table=table,
        known=known,
        fingerprint=_corpus_fingerprint(corpus, tokens, table.words) + _table_fingerprint(source),
        num_valid=num_valid,
        steps_per_epoch=per_epoch,
        num_steps=num_steps,
        task=task,
        tx=tx,
        engine=engine,
        data=engine.place_data({"tokens": tokens, "table": table.data}),
        gather=gather,
    )


def make_job(problem: Problem, seed: int) -> Job:
    """A run of one seed: its validation texts, its order, its first values."""
    config, ids = problem.config, split_texts(problem, seed)
    train = problem.texts.take(ids["train"])
    width = config.data.bucket_width
    return Job(
        task=problem.task,
        tx=problem.tx,
        engine=problem.engine,
        data=problem.data,
        feed=shuffled(train, config.batch_size, width, seed, problem.gather),
        evaluations={"valid": evaluation(problem, ids["valid"])},
        config=dataclasses.replace(
            config,
            seed=seed,
            num_seeds=1,
            eval_every=config.eval_every or -(-problem.steps_per_epoch // 2),
        ),
        num_steps=problem.num_steps,
        best_metric="valid_cross_entropy",
    )


def evaluation(problem: Problem, ids: np.ndarray) -> Feed:
    """Some texts, each once."""
    size = -(-_EVAL_TEXTS // jax.device_count()) * jax.device_count()
    width = problem.config.data.bucket_width
    return by_length(problem.texts.take(ids), size, width, problem.gather)


def split_texts(problem: Problem, seed: int) -> dict[str, np.ndarray]:
    """Text ids by split; validation texts are the source's own, or some of those to train on."""
    ids = {split: np.arange(r.start, r.stop) for split, r in problem.corpus.ranges.items()}
    if problem.num_valid:
        train, valid = split_rows(len(ids["train"]), problem.num_valid, seed)
        ids |= {"train": ids["train"][train], "valid": ids["train"][valid]}
    return ids


def _num_valid(corpus: Corpus, wanted: int | None) -> int:
    """How many of the texts to train on are held out; 0 where the source has others."""
    if "valid" in corpus.ranges:
        return 0
    count = len(corpus.ranges["train"])
    num_valid = min(count // 10, 2500) if wanted is None else wanted
    if not 1 <= num_valid < count:
        raise InputError(
            f"data.valid_texts is {num_valid}; expected from 1 to {count - 1}, fewer than the "
            f"{count} texts to train on."
        )
    return num_valid


def _make_table(corpus: Corpus, source: Vectors | Codes | None, config: Config) -> WordTable:
    if config.embedding in FROM_SCRATCH:
        if source is not None:
            raise InputError(
                f"vectors are {config.vectors}, and embedding is {config.embedding!r}, which is "
                "learned from scratch; set one of them anew: --config.vectors=None, or "
                "--config.embedding=frozen."
            )
        words = _most_common(corpus, config.data.max_vocab)
        if config.embedding == "dense":
            return dense_table(words, config.model.dim)
        return anchor_table(words, config.model.num_anchors, config.model.dim)
    if source is None:
        raise InputError(
            f"no vectors given, and embedding is {config.embedding!r}; add --config.vectors=PATH, "
            "or --config.embedding=dense to learn some from scratch."
        )
    if source.words is None:
        raise InputError(f"{config.vectors}: its rows have no names; expected a word for each.")
    if config.embedding == "finetune_codebooks":
        if not isinstance(source, Codes):
            raise InputError(
                f"{config.vectors} holds vectors; embedding 'finetune_codebooks' takes codes, as "
                "python -m train.dccl exports them."
            )
        return trained_codebooks(source)
    if isinstance(source, Codes):
        return frozen_codes(source)
    return frozen_vectors(source.words, source.rows)


def _most_common(corpus: Corpus, count: int) -> list[str]:
    """The most frequent words of the texts to train on, the first met first among equals."""
    words, ids, bounds = corpus.numbered
    texts = corpus.ranges["train"]
    counts = np.bincount(ids[bounds[texts.start] : bounds[texts.stop]], minlength=len(words))
    order = np.argsort(-counts, kind="stable")[:count]
    return [words[i] for i in order if counts[i]]


def _known_shares(corpus: Corpus, known: np.ndarray) -> dict[str, float]:
    bounds, shares = corpus.numbered.bounds, {}
    for split, texts in corpus.ranges.items():
        shares[split] = float(known[bounds[texts.start] : bounds[texts.stop]].mean())
    return shares


def _corpus_fingerprint(corpus: Corpus, tokens: np.ndarray, words: Sequence[str]) -> str:
    """Of the tokens, of where texts and splits end, and of the labels."""
    lengths = np.diff(corpus.numbered.bounds)
    splits = [f"{split} {len(texts)}" for split, texts in corpus.ranges.items()]
    return engine_workdir.fingerprint(tokens[:, None], list(words)) + engine_workdir.fingerprint(
        lengths[:, None], splits, corpus.labels
    )


def _table_fingerprint(source: Vectors | Codes | None) -> str:
    if source is None:
        return ""
    if isinstance(source, Codes):
        books = source.codebooks.reshape(-1, source.dim)
        return engine_workdir.fingerprint(source.codes, None) + engine_workdir.fingerprint(
            books, None
        )
    return engine_workdir.fingerprint(source.rows, None)
