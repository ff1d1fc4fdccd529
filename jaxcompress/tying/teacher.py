"""The teacher of the augmented loss: its temperature, and what keeps it from becoming one-hot.

Inan, Khosravi & Socher 2017, arXiv 1611.01462, section 3. With the table tied and no gradient
through the teacher, the update follows no objective: the teacher of a word gives it the logit
|L_y|^2 / tau, which the student, whose outputs are bounded, runs after by making L_y longer. At
|L_y|^2 = tau ln V the teacher is one-hot, and perplexity explodes. Departures from the paper, which
has one tau for all steps: it can rise with them, which is off by default (`temperature_at`), and it
rises where rows are so long that `sharpness` would be above a bound (`make_teacher`).

Axis letters: V words, D units.
"""

import jax
import jax.numpy as jnp

from jaxcompress.tying.config import ModelConfig
from jaxcompress.tying.softmax_loss import Augmentation

_SHARP = 0.5  # of `sharpness`: above it a teacher may become one-hot


def temperature_at(
    step: int | jax.Array, num_steps: float, first: float | None, last: float
) -> jax.Array:
    """Computes tau of a step, which goes geometrically from `first` to `last`.

    The paper has one tau for all steps.

    >>> [float(temperature_at(step, 20, 2.0, 8.0)) for step in (0, 10, 20, 90)]
    [2.0, 4.0, 8.0, 8.0]

    Args:
        step: of the optimiser, from 0.
        num_steps: the step at which `last` is reached.
        first: tau of step 0; None: `last`.
        last: tau from step `num_steps` on.

    Returns:
        float32 [].
    """
    if first in (None, last):
        return jnp.float32(last)
    return jnp.float32(first * (last / first) ** jnp.minimum(step / num_steps, 1.0))


def sharpness(embedding: jax.Array, temperature: jax.Array) -> jax.Array:
    """Computes max |L_v|^2 / (tau ln V): at 1 the teacher of some word is nearly one-hot.

    Args:
        embedding: L [V, D].
        temperature: tau, float32 [].

    Returns:
        float32 [].
    """
    longest = jnp.square(jax.lax.stop_gradient(embedding)).sum(axis=-1).max()
    return longest / (temperature * jnp.log(float(len(embedding))))


def make_teacher(
    config: ModelConfig, embedding: jax.Array, temperature: jax.Array
) -> Augmentation | None:
    """Makes the teacher of a step, of weight alpha = gamma * tau; None without AL.

    tau is what is asked for, or max |L_v|^2 / (max_sharpness ln V) if that is more: a word's own
    probability is then V^(max_sharpness - 1) or so at most, and no row gains by growing.

    Args:
        config: the model's.
        embedding: L [V, D].
        temperature: tau that is asked for, float32 [].
    """
    if not config.augmented_loss:
        return None
    if config.max_sharpness is not None:
        rise = sharpness(embedding, temperature) / config.max_sharpness
        temperature = temperature * jnp.maximum(rise, 1.0)
    taught = None if config.reuse_embedding else embedding  # None: it is the classifier
    return Augmentation(taught, temperature, config.gamma * temperature)


def sharpness_note(config: ModelConfig, sharpness: float) -> str | None:
    """What a user should know of a teacher so sharp; None: it is not, or not as sharp as that."""
    limit = config.max_sharpness
    if sharpness <= _SHARP or (limit is not None and limit <= _SHARP):
        return None
    return (
        f"max |L_v|^2 / (tau ln V) is above {_SHARP}: the teacher of the longest row may become "
        f"one-hot, and perplexity explode; --config.model.max_sharpness={_SHARP} bounds it."
    )
