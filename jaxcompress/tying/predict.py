"""Language models whose embedding is also their classifier, and the augmented loss.

Inan, Khosravi & Socher, "Tying Word Vectors and Word Classifiers: A Loss Framework for Language
Modeling", ICLR 2017, arXiv 1611.01462. An LSTM reads words and predicts the next one. AL adds to
the cross-entropy the divergence from a teacher that gives words near the target their share; RE
lets one table be embedding and classifier, which the theory of AL calls for; REAL is both.

Axis letters: B batch (lanes of text), T time, V vocabulary, D units (of embedding and of LSTM).

Departures from the paper:
- Where the paper is silent, whether gradients flow through the teacher, they do not
  (`model.teacher_gradient`): it costs half as much.
- A sequence is one stretch of `unroll` tokens: dropout masks are drawn anew for each.
"""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.data.text.corpus import END, SPLITS, Corpus, token_ids
from jaxcompress.engine.loop import restore_best
from jaxcompress.errors import InputError
from jaxcompress.nn.lstm import LSTMState
from jaxcompress.storage.names import read_names
from jaxcompress.tying.config import Config, DataConfig, ModelConfig
from jaxcompress.tying.model import make_model, no_masks, zero_carry
from jaxcompress.tying.prepare import prepare


def next_word(
    params: dict[str, Any], config: ModelConfig, carry: tuple[LSTMState, ...], words: jax.Array
) -> tuple[tuple[LSTMState, ...], jax.Array]:
    """Reads a text, int [T]: the carry of one lane after it and the next word's logits [V]."""
    model = make_model(config, params["embedding"].shape[0])
    out = model.apply({"params": params}, words[None], carry, no_masks(config, 1))
    logits = out.classifier @ out.hidden[0, -1]
    return out.carry, logits if out.bias is None else logits + out.bias


def generate(
    key: jax.Array,
    params: dict[str, Any],
    config: ModelConfig,
    words: jax.Array,
    num_words: int,
    temperature: float,
) -> jax.Array:
    """Continues a text, int [T], by words drawn from softmax(logits / temperature).

    Returns:
        int [num_words].
    """
    carry, logits = next_word(params, config, zero_carry(config, 1), words)

    def step(state, key):
        carry, logits = state
        word = jax.random.categorical(key, logits / temperature)
        return next_word(params, config, carry, word[None]), word

    return jax.lax.scan(step, (carry, logits), jax.random.split(key, num_words))[1]


class Reader(NamedTuple):
    """A trained model, to go on from texts."""

    config: ModelConfig
    params: dict[str, Any]
    words: list[str]


def open_reader(config: Config, workdir: str) -> Reader:
    """Opens the best state of a run; its text is not needed.

    Raises:
        InputError: where there is no run, or it has no checkpoint yet.
    """
    file = Path(workdir) / "vocabulary.txt"
    if not file.exists():
        raise InputError(f"workdir {workdir} holds no run (no {file}); train one first.")
    words = read_names(file)
    stand_in = np.zeros(config.batch_size * config.unroll, np.int32)
    config = dataclasses.replace(config, data=DataConfig())
    problem = prepare(Corpus(words, dict.fromkeys(SPLITS, stand_in)), config)
    fitted = restore_best(problem.job, workdir)
    return Reader(config.model, fitted.state.params, words)


def read_text(reader: Reader, text: str) -> tuple[list[int], str]:
    """Ids of a text's words after an end of line, and the text as the model sees it."""
    ids = {word: i for i, word in enumerate(reader.words)}
    found = token_ids(text.split(), ids)
    return [ids[END], *found], " ".join(reader.words[i] for i in found)


def predict(reader: Reader, text: str, num_words: int) -> list[tuple[str, float]]:
    """The likeliest next words, with their probabilities."""
    ids, _ = read_text(reader, text)
    carry = zero_carry(reader.config, 1)
    _, logits = next_word(reader.params, reader.config, carry, jnp.array(ids))
    values, best = jax.lax.top_k(jax.nn.softmax(logits), min(num_words, len(reader.words)))
    return [(reader.words[i], float(p)) for i, p in zip(best, values, strict=True)]
