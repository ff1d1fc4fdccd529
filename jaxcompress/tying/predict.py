"""What comes next in a text: the probabilities of words, by a trained model.

Axis letters: T tokens of a text, V words.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcompress.engine.own_settings import own_settings
from jaxcompress.errors import InputError
from jaxcompress.nn.lstm import LSTMState
from jaxcompress.tying.config import ModelConfig
from jaxcompress.tying.model import make_model, no_masks, zero_carry
from jaxcompress.tying.reader import Reader, read_text


@own_settings
def predict_words(reader: Reader, text: str = "", num_words: int = 10) -> list[tuple[str, float]]:
    """Predicts the likeliest next words of a text.

    Args:
        reader: the model.
        text: what was said so far; "": the start of a line.
        num_words: how many words to return, at most V.

    Returns:
        Words and their probabilities, the likeliest first.

    Raises:
        InputError: if `num_words` is below 1.
    """
    if num_words < 1:
        raise InputError(f"num_words is {num_words}; it must be at least 1.")
    ids, _ = read_text(reader, text)
    carry = zero_carry(reader.config, 1)
    _, logits = next_word(reader.params, reader.config, carry, jnp.array(ids))
    values, best = jax.lax.top_k(jax.nn.softmax(logits), min(num_words, len(reader.words)))
    return [(reader.words[i], float(p)) for i, p in zip(best, values, strict=True)]


def next_word(
    params: dict[str, Any], config: ModelConfig, carry: tuple[LSTMState, ...], ids: jax.Array
) -> tuple[tuple[LSTMState, ...], jax.Array]:
    """Reads words of one lane and computes the logits of the next one.

    Args:
        params: the model's parameters.
        config: the model's.
        carry: the state of each layer before the words, of one lane.
        ids: int [T], the words by number.

    Returns:
        The state of each layer after the words, and the logits [V].
    """
    model = make_model(config, params["embedding"].shape[0])
    out = model.apply({"params": params}, ids[None], carry, no_masks(config, 1))
    logits = out.classifier @ out.hidden[0, -1]
    return out.carry, logits if out.bias is None else logits + out.bias
