"""Whether tables predict better than biases alone, which a run with open settings has to show.

Axis letters: n validation ratings.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.ant.model import SIDES, masks_of
from jaxcompress.ant.plan import make_eval_feed
from jaxcompress.ant.prepare import Problem
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import init_state, map_rows

_STANDARD_ERRORS = 2  # by which tables have to be better


def or_biases_alone(problem: Problem, fitted: Fitted, say: Callable[[str], None]) -> Fitted:
    """Takes the tables away if biases alone predict the validation ratings as well.

    Tables stay if they lower the squared errors by more than two standard errors of their mean:
    the state and what was left open have been chosen on the same ratings.
    """
    if not problem.config.model.biases or problem.windows:
        return fitted
    start = init_state(problem.job)
    params = {
        name: param if name.endswith("bias") else jax.tree.map(jnp.zeros_like, param)
        for name, param in start.params.items()
    }
    aux = dict(fitted.state.aux)
    for side in SIDES:
        if "transform" in params[side]:  # no anchor is in use
            aux[side] = {**aux[side], "active": jnp.zeros_like(aux[side]["active"])}
    alone = fitted.state.replace(params=params, aux=aux)
    with_tables, without = (_squared_errors(problem, state) for state in (fitted.state, alone))
    gains = without - with_tables
    if gains.mean() > _STANDARD_ERRORS * gains.std() / np.sqrt(len(gains)):
        return fitted
    say(
        f"note: tables do not clearly lower the validation MSE, {with_tables.mean():.4f} where "
        f"biases alone have {without.mean():.4f}: they are left out, and biases predict."
    )
    return fitted._replace(state=alone)


def _squared_errors(problem: Problem, state: Any) -> np.ndarray:
    """Computes those of the validation ratings, [n]."""

    def errors(state, batch):
        apply = problem.model.apply
        found, _ = apply({"params": state.params}, batch, masks_of(state.aux), fill=True)
        return (found - batch["values"]) ** 2

    valid = problem.splits["valid"]
    return map_rows(errors, problem.job, state, make_eval_feed(valid), len(valid))
