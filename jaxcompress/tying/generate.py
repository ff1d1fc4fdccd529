"""How a text goes on, by words that a trained model draws.

Axis letters: T tokens of a text, V words.
"""

import re
from typing import Any

import jax
import jax.numpy as jnp

from jaxcompress.data.text.corpus import END
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.errors import InputError
from jaxcompress.tying.config import ModelConfig
from jaxcompress.tying.model import zero_carry
from jaxcompress.tying.predict import next_word
from jaxcompress.tying.reader import Reader, read_text


@own_settings
def generate_text(
    reader: Reader,
    text: str = "",
    num_tokens: int = 50,
    temperature: float = 1.0,
    seed: int = 0,
) -> str:
    """Draws words that go on from a text.

    Args:
        reader: the model.
        text: what was said so far; "": the start of a line.
        num_tokens: how many words to draw; an end of line counts as one.
        temperature: of the softmax that words are drawn from; below 1 likely words are likelier.
        seed: the same seed draws the same words.

    Returns:
        The words that were drawn; an end of line is a line break.

    Raises:
        InputError: if `temperature` is not above 0, or `num_tokens` is below 1.
    """
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}; it must be above 0.")
    if num_tokens < 1:
        raise InputError(f"num_tokens is {num_tokens}; it must be at least 1.")
    ids, _ = read_text(reader, text)
    key, params = jax.random.key(seed), jax.tree.map(jnp.asarray, reader.params)
    drawn = draw_words(key, params, reader.config, jnp.array(ids), num_tokens, temperature)
    return re.sub(f" ?{END} ?", "\n", " ".join(reader.words[i] for i in drawn))


def draw_words(
    key: jax.Array,
    params: dict[str, Any],
    config: ModelConfig,
    ids: jax.Array,
    num_words: int,
    temperature: float,
) -> jax.Array:
    """Draws words from softmax(logits / temperature), each after those before it.

    Args:
        key: of the draws.
        params: the model's parameters.
        config: the model's.
        ids: int [T], the words to go on from, by number.
        num_words: how many words to draw.
        temperature: above 0.

    Returns:
        int [num_words].
    """
    carry, logits = next_word(params, config, zero_carry(config, 1), ids)

    def step(state, key):
        carry, logits = state
        word = jax.random.categorical(key, logits / temperature)
        return next_word(params, config, carry, word[None]), word

    return jax.lax.scan(step, (carry, logits), jax.random.split(key, num_words))[1]
