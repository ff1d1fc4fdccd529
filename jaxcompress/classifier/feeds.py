"""The batches of a run: which texts, how far they are read, and what the device makes of them.

Axis letters: B texts, T tokens, V rows of the table.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.classifier.config import FROM_SCRATCH, Config
from jaxcompress.classifier.corpus import Corpus, num_valid_texts, split_texts
from jaxcompress.data.batches import WHOLE, Feed
from jaxcompress.data.labelled.buckets import (
    TextSpans,
    gather_texts,
    shuffled_texts,
    texts_by_length,
)
from jaxcompress.tables import WordTable

_EVAL_TEXTS = 256  # texts, at least, in a batch of an evaluation
_SHARE_WHOLE = 0.95  # of the texts to train on, that an LSTM reads to their end
_LONGEST = 1000  # tokens that an LSTM reads of any text, unless it is told otherwise
_SHARE_UNKNOWN = 0.5  # of steps in which a word that is there once stands for the unknown one

Gather = Callable[[Any, dict], dict]


def settle(corpus: Corpus, config: Config) -> Config:
    """Fills in what follows from the texts alone: where they are cut, and how they are padded."""
    data, lengths = config.data, np.diff(corpus.numbered.bounds)
    most, width = data.max_tokens, data.bucket_width
    if most is None:
        most = int(lengths.max())
        if config.model.network == "lstm":
            of_train = lengths[corpus.ranges["train"]]
            most = int(np.quantile(of_train, _SHARE_WHOLE, method="inverted_cdf"))
            most = min(most, _LONGEST)
    if width is None:
        width = max(25, 25 * round(most / 250))
    return dataclasses.replace(
        config, data=dataclasses.replace(data, max_tokens=most, bucket_width=width)
    )


def split_corpus(corpus: Corpus, config: Config) -> dict[str, np.ndarray]:
    """Lists the ids of each split, int [texts], for the config's seed."""
    num_valid = num_valid_texts(corpus, config.data.valid_texts)
    return split_texts(corpus, num_valid, config.seed)


def make_feeds(
    corpus: Corpus, texts: TextSpans, config: Config, gather: Gather
) -> tuple[Feed, dict[str, Feed]]:
    """Makes the batches to train on, and those of the evaluations during training, by name."""
    ids = split_corpus(corpus, config)
    train, valid = texts.take(ids["train"]), texts.take(ids["valid"])
    width = config.data.bucket_width
    feed = shuffled_texts(train, config.batch_size, width, config.seed, gather)
    if config.embedding in FROM_SCRATCH and config.model.learn_unknown:
        feed = _with_draws(feed, config.seed)
    return feed, {"valid": evaluation_feed(valid, config, gather)}


def _with_draws(feed: Feed, seed: int) -> Feed:
    """Adds `draw` to each index, int32 [B]: a number of the step, by which words are left out."""

    def index(step: int, part: slice = WHOLE) -> dict:
        made = feed.index(step, part)
        draw = np.random.SeedSequence((seed, step)).generate_state(1)[0] >> 1
        return {**made, "draw": np.full(len(made["labels"]), draw, np.int32)}

    return feed._replace(index=index)


def evaluation_feed(texts: TextSpans, config: Config, gather: Gather) -> Feed:
    """Makes batches of some texts, each once; every device takes equally many of a batch."""
    size = -(-_EVAL_TEXTS // jax.device_count()) * jax.device_count()
    return texts_by_length(texts, size, config.data.bucket_width, gather)


def make_gather(table: WordTable) -> Gather:
    """Makes the feeds' `gather`: its batches are described at `make_task`.

    Data: `tokens` int32 [tokens]; `table`, the table's; `seen_once` bool [V + 1]: the words that
    stand for the unknown one in half of the batches that have a `draw`.
    """

    def gather(data: dict, index: dict) -> dict:
        batch = gather_texts(data["tokens"], index)
        ids, draw = batch.pop("ids"), batch.pop("draw", None)
        if draw is not None:
            coins = jax.random.bernoulli(jax.random.key(draw[0]), _SHARE_UNKNOWN, ids.shape)
            ids = jnp.where(coins & data["seen_once"][ids], len(table.words), ids)
        return {**batch, "tokens": table.gather(data["table"], ids)}

    return gather


def find_seen_once(corpus: Corpus, tokens: np.ndarray, table: WordTable) -> np.ndarray:
    """Tells which rows [V + 1] have one token in the texts to train on."""
    texts, bounds = corpus.ranges["train"], corpus.numbered.bounds
    trained = tokens[bounds[texts.start] : bounds[texts.stop]]
    seen_once = np.bincount(trained, minlength=len(table.words) + 1) == 1
    seen_once[-1] = False
    return seen_once
