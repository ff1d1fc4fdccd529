"""Proximal Yogi: adaptive steps, then soft thresholds that leave zeros exactly zero.

Zaheer et al., "Adaptive Methods for Nonconvex Optimization", NeurIPS 2018 (Yogi), with the
constants and the proximal step of Liang et al., ICLR 2021, arXiv 2003.08197, algorithm 1.

Letters as in the papers: p parameter, g gradient, mu and nu its moments, t steps.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxcompress.anchors.proximal import L1Norm, Mask, at_step, check_params


class ProximalYogiState(NamedTuple):
    """The optimiser's state.

    Attributes:
        count: int32 [], t, steps taken.
        mu: first moments, a pytree like the parameters.
        nu: second moments, a pytree like the parameters.
    """

    count: jax.Array  # type: ignore[assignment]  # the name that optax has too
    mu: optax.Updates
    nu: optax.Updates


def proximal_yogi(
    learning_rate: optax.ScalarOrSchedule,
    penalty: optax.ScalarOrSchedule,
    *,
    mask: Mask | None = None,
    non_negative: bool | Mask = True,
    fixed_from: int | None = None,
    lazy: bool = False,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-3,
    initial_nu: float = 1e-6,
) -> optax.GradientTransformation:
    """Yogi, and for penalised parameters the proximal step of their L1 norm.

    With `rate = learning_rate * sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(nu) + eps)` for each
    coordinate, `q = p - rate * mu` and threshold `h = rate * penalty`, a parameter becomes
    `max(q - h, 0)` if it is to be non-negative and `sign(q) * max(|q| - h, 0)` otherwise.

    `optax.yogi` starts both moments at 1e-6 and adds no bias-corrected rate to a threshold; here
    mu starts at 0 and nu at `initial_nu`, as in the authors' code. Where gradients are far smaller
    than `eps`, rows hardly move: lower it, and `initial_nu` to its square.

    Every row is thresholded in every step, also if no example of the batch is about it: that is
    what the objective `mean loss + penalty * ||T||_1` asks for. The lazy form leaves rows (of the
    leading axis) whose gradient is zero as they are, moments too. A row then shrinks by as many
    thresholds as it has batches, which in effect multiplies the penalty by the row's frequency:
    rare rows stay dense and frequent ones do not. It is meant for rows that have not arrived yet.

    Args:
        learning_rate: the rate, or a schedule of it.
        penalty: lambda2, or a schedule of it.
        mask: which parameters are penalised: a pytree of booleans, or a function that makes it of
            the parameters; an array of booleans says which entries of one. None: those named
            `transform` (`transforms`).
        non_negative: whether the penalised parameters stay at least 0; or which of them, as `mask`
            says it.
        fixed_from: the step from which on nothing is penalised and penalised parameters that are
            zero stay so: the others are fitted without shrinkage. None: never.
        lazy: whether rows without a gradient are left alone.
        b1: decay of mu.
        b2: decay of nu.
        eps: what is added to sqrt(nu).
        initial_nu: the first nu.

    Raises:
        InputError: if no parameter is named `transform` and there is no mask, or if `update` gets
            no parameters.

    >>> tx = proximal_yogi(0.01, penalty=0.1)
    >>> params = {"transform": jnp.array([0.5, 1e-4])}
    >>> updates, _ = tx.update({"transform": jnp.zeros(2)}, tx.init(params), params)
    >>> optax.apply_updates(params, updates)["transform"].tolist()[1]
    0.0
    """

    norm = L1Norm(penalty, mask, non_negative, fixed_from)

    def init(params):
        norm.marks(params)  # so that parameters that do not fit are refused at once
        return ProximalYogiState(
            jnp.zeros([], jnp.int32),
            jax.tree.map(jnp.zeros_like, params),
            jax.tree.map(lambda p: jnp.full_like(p, initial_nu), params),
        )

    def update(gradients, state, params=None):
        check_params(params, "proximal_yogi")
        rate = _corrected_rate(at_step(learning_rate, state.count), state.count + 1, b1, b2)
        in_use = jax.tree.map(_has_gradient if lazy else lambda g: True, gradients)

        def new_mu(used, g, m):
            return _select(used, b1 * m + (1 - b1) * g, m)

        def new_nu(used, g, v):
            return _select(used, v - (1 - b2) * jnp.sign(v - g * g) * g * g, v)

        mu = jax.tree.map(new_mu, in_use, gradients, state.mu)
        nu = jax.tree.map(new_nu, in_use, gradients, state.nu)
        rates = jax.tree.map(lambda v: rate / (jnp.sqrt(v) + eps), nu)
        moved = jax.tree.map(lambda p, r, m: p - r * m, params, rates, mu)
        shrunk = norm.shrink(params, moved, rates, state.count)

        def change(used, p, q, new):
            return _select(used, (q if new is None else new) - p, jnp.zeros_like(p))

        updates = jax.tree.map(change, in_use, params, moved, shrunk)
        return updates, ProximalYogiState(state.count + 1, mu, nu)

    return optax.GradientTransformation(init, update)


def _corrected_rate(rate: Any, t: jax.Array, b1: float, b2: float) -> jax.Array:
    """Corrects a rate for moments that started at 0: rate * sqrt(1 - b2^t) / (1 - b1^t)."""
    # 1 - b^t by expm1: in float32 the difference has four digits.
    sum1, sum2 = (-jnp.expm1(t * math.log(b)) for b in (b1, b2))
    return rate * jnp.sqrt(sum2) / sum1


def _has_gradient(g: jax.Array) -> Any:
    """Marks rows of a table that have one: bool [V, 1, ...]; True for a vector or a number."""
    return True if g.ndim < 2 else (g != 0).any(axis=tuple(range(1, g.ndim)), keepdims=True)


def _select(used: Any, new: jax.Array, old: jax.Array) -> jax.Array:
    return new if used is True else jnp.where(used, new, old)
