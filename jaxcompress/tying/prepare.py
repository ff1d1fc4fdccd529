"""Trains a language model: `python -m train.tying --config configs/ptb.py:small-real`.

`--mode evaluate` computes the figures of a finished or half-finished run anew (with `--codes FILE`
those of a compressed table in the embedding's place), `--mode export` writes its embedding,
`--mode predict` and `--mode generate` go on from a text, `--mode compare` lays runs side by side.
"""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.data.batches import Feed
from jaxcompress.data.text import lanes as text_lanes
from jaxcompress.data.text.corpus import END, Corpus
from jaxcompress.data.text.lanes import as_stream, evaluation_lanes, training_lanes
from jaxcompress.engine.job import Job
from jaxcompress.engine.report import say
from jaxcompress.engine.steps import make_engine
from jaxcompress.errors import InputError
from jaxcompress.loading import read_table
from jaxcompress.storage.names import number_rows
from jaxcompress.tying.config import Config
from jaxcompress.tying.task import make_optimizer, make_task

_EVAL_TOKENS = 2048  # of all lanes, in one batch of an evaluation


class Problem(NamedTuple):
    """A corpus and a config, made ready for the loop.

    Attributes:
        job: what the loop runs.
        splits: the positions of each split's tokens in the job's stream.
        steps_per_epoch: whole batches of the training split.
    """

    job: Job
    splits: dict[str, range]
    steps_per_epoch: int


def prepare(corpus: Corpus, config: Config) -> Problem:
    """Makes task, feeds and engine of a corpus.

    Raises:
        InputError: where the corpus and the config do not fit.
    """
    stream, splits = as_stream(corpus.splits, corpus.words.index(END))
    per_epoch = text_lanes.steps_per_epoch(splits["train"], config.batch_size, config.unroll)
    if per_epoch < 1:
        raise InputError(
            f"{corpus.source}: the train split has {len(splits['train']):,} tokens; expected at "
            f"least batch_size x unroll = {config.batch_size} x {config.unroll}; lower one of them."
        )
    embedding, known = read_embedding(config, corpus.words)
    task = make_task(config.model, len(corpus.words), per_epoch, embedding, known)
    tx = make_optimizer(config.optimizer, per_epoch)
    feed = training_lanes(splits["train"], config.batch_size, config.unroll)
    engine = make_engine(config.parallel, config.batch_size, task, tx, feed.gather)
    name = f"valid-{config.eval_lanes}-lanes"
    job = Job(
        task=task,
        tx=tx,
        engine=engine,
        data=engine.place_data(stream),
        feed=feed,
        evaluations={name: _evaluation(splits["valid"], config.eval_lanes)},
        config=dataclasses.replace(config, eval_every=config.eval_every or per_epoch),
        num_steps=config.num_steps or max(1, round(config.num_epochs * per_epoch)),
        best_metric=f"{name}_perplexity",
    )
    return Problem(job, splits, per_epoch)


def _evaluation(split: range, num_lanes: int) -> Feed:
    unroll = max(1, _EVAL_TOKENS // num_lanes)
    return evaluation_lanes(split, num_lanes, unroll, multiple=jax.device_count())


def read_embedding(config: Config, words: list[str]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Reads `config.data.vectors` by word: rows [V, D], and which of them were found."""
    path = config.data.vectors
    if path is None:
        return None, None
    source = read_table(path, config.data.tensor)
    names, table = source.words, source.decode() if isinstance(source, Codes) else source.rows
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
    say(f"{int(known.sum()):,} of {len(words):,} words have a vector in {path}")
    return np.where(known[:, None], table[rows], 0).astype(np.float32), known
