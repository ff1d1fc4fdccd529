"""Proximal Yogi: adaptive steps, then soft thresholds that leave zeros exactly zero.

Zaheer et al., "Adaptive Methods for Nonconvex Optimization", NeurIPS 2018, with the constants and
the proximal step of Liang et al., ICLR 2021, arXiv 2003.08197, algorithm 1.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class ProximalYogiState(NamedTuple):
    """Attributes: count int32 [], the steps taken; mu and nu, the moments, as the parameters."""

    count: jax.Array
    mu: optax.Updates
    nu: optax.Updates


def proximal_yogi(
    learning_rate: optax.ScalarOrSchedule,
    penalty: Callable[[optax.Params], Any],
    *,
    penalty_schedule: optax.ScalarOrSchedule = 1.0,
    non_negative: Callable[[optax.Params], Any],
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
    `max(q - h, 0)` where it is to be non-negative and `sign(q) * max(|q| - h, 0)` elsewhere.

    `optax.yogi` starts both moments at 1e-6 and adds no bias-corrected rate to a threshold; here
    mu starts at 0 and nu at `initial_nu`, as in the reference.

    Every row is thresholded in every step, also one that no rating of the batch is about: that is
    what the objective `mean loss + penalty * ||T||_1` asks for. The lazy form leaves rows (of the
    leading axis) whose gradient is zero as they are, moments too: a row then shrinks by as many
    thresholds as it has batches, so that rare rows stay dense and frequent ones do not, the penalty
    in effect multiplied by the row's frequency. It is for rows that have not arrived yet.

    Args:
        learning_rate: or a schedule of it.
        penalty: of the parameters, a pytree like them: numbers or arrays; None for a parameter
            without one.
        penalty_schedule: what penalties are multiplied by, or a schedule of it.
        non_negative: of the parameters, a pytree like them: which penalised ones stay at least 0.
        fixed_from: from this step on the penalty is off, and penalised parameters that are zero
            stay so: the rest are fitted without shrinkage.
        lazy: see above.
        b1: decay of mu.
        b2: decay of nu.
        eps: added to sqrt(nu).
        initial_nu: where nu starts.
    """

    def init(params):
        return ProximalYogiState(
            jnp.zeros([], jnp.int32),
            jax.tree.map(jnp.zeros_like, params),
            jax.tree.map(lambda p: jnp.full_like(p, initial_nu), params),
        )

    def update(gradients, state, params):
        count = state.count + 1
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        factor = penalty_schedule(state.count) if callable(penalty_schedule) else penalty_schedule
        # 1 - b^t by expm1: in float32 the difference has four digits.
        sum1, sum2 = (-jnp.expm1(count * math.log(b)) for b in (b1, b2))
        rate = rate * jnp.sqrt(sum2) / sum1
        is_fixed = jnp.bool_(False) if fixed_from is None else state.count >= fixed_from

        def new_mu(m, g):
            return b1 * m + (1 - b1) * g

        def new_nu(v, g):
            return v - (1 - b2) * jnp.sign(v - g * g) * g * g

        def change(p, m, v, weight, is_non_negative):
            step = rate / (jnp.sqrt(v) + eps)
            new = p - step * m
            if weight is None:
                return new - p
            threshold = jnp.where(is_fixed, 0.0, step * weight * factor)
            if is_non_negative:
                new = jnp.maximum(new - threshold, 0.0)
            else:
                new = jnp.sign(new) * jnp.maximum(jnp.abs(new) - threshold, 0.0)
            return jnp.where(is_fixed & (p == 0), 0.0, new) - p

        def in_use(g, new, old):
            if not lazy or g.ndim < 2:
                return new
            used = (g != 0).any(axis=tuple(range(1, g.ndim)), keepdims=True)
            return jnp.where(used, new, old)

        mu = jax.tree.map(lambda g, m: in_use(g, new_mu(m, g), m), gradients, state.mu)
        nu = jax.tree.map(lambda g, v: in_use(g, new_nu(v, g), v), gradients, state.nu)
        updates = jax.tree.map(
            lambda g, p, m, v, w, s: in_use(g, change(p, m, v, w, s), jnp.zeros_like(p)),
            gradients, params, mu, nu, penalty(params), non_negative(params),
        )  # fmt: skip
        return updates, ProximalYogiState(count, mu, nu)

    return optax.GradientTransformation(init, update)
