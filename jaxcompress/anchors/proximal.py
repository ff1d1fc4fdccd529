"""The proximal step of the L1 norm, which leaves zeros exactly zero, behind any optimiser of optax.

Liang et al., ICLR 2021, arXiv 2003.08197, algorithm 1: after a step down the gradient, entries of T
go towards 0 by the rate times lambda2, and no further.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import tree_map_with_path

from jaxcompress.errors import InputError

Mask = Any  # a pytree of booleans, like the parameters or above them; or parameters -> that


class ProximalL1State(NamedTuple):
    """The state of `proximal_l1`: `count`, int32 [], steps taken."""

    count: jax.Array  # type: ignore[assignment]  # the name that optax has too


def proximal_l1(
    learning_rate: optax.ScalarOrSchedule,
    penalty: optax.ScalarOrSchedule,
    *,
    mask: Mask | None = None,
    non_negative: bool | Mask = True,
    fixed_from: int | None = None,
) -> optax.GradientTransformation:
    """Takes the proximal step of `penalty * ||T||_1` after the step of the optimiser before it.

    With `q = p + update` and threshold `h = learning_rate * penalty`, a parameter becomes
    `max(q - h, 0)` if it is to be non-negative, and `sign(q) * max(|q| - h, 0)` otherwise. It has
    to be the last of a chain. The threshold is the same for all entries; that of `proximal_yogi`
    follows the rate of each one.

    Args:
        learning_rate: the rate of the optimiser, or its schedule.
        penalty: lambda2, or a schedule of it.
        mask: which parameters are penalised: a pytree of booleans, or a function that makes it of
            the parameters; an array of booleans says which entries of one. None: those named
            `transform` (`transforms`).
        non_negative: whether the penalised parameters stay at least 0; or which of them, as `mask`
            says it.
        fixed_from: the step from which on nothing is penalised and penalised parameters that are
            zero stay so: the others are fitted without shrinkage. None: never.

    Raises:
        InputError: if no parameter is named `transform` and there is no mask, or if `update` gets
            no parameters.

    >>> tx = optax.chain(optax.sgd(0.1), proximal_l1(0.1, penalty=0.5))
    >>> params = {"transform": jnp.array([0.04, 1.0]), "anchors": jnp.array([0.04, 1.0])}
    >>> updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    >>> jax.tree.map(lambda p: p.round(2).tolist(), optax.apply_updates(params, updates))
    {'anchors': [0.03999999910593033, 1.0], 'transform': [0.0, 0.949999988079071]}
    """

    norm = L1Norm(penalty, mask, non_negative, fixed_from)

    def init(params):
        norm.marks(params)  # so that parameters that do not fit are refused at once
        return ProximalL1State(jnp.zeros([], jnp.int32))

    def update(updates, state, params=None):
        check_params(params, "proximal_l1")
        rate = at_step(learning_rate, state.count)
        moved = jax.tree.map(lambda p, u: p + u, params, updates)
        rates = jax.tree.map(lambda _: rate, params)
        shrunk = norm.shrink(params, moved, rates, state.count)

        def change(p, u, new):
            return u if new is None else (new - p).astype(u.dtype)

        updates = jax.tree.map(change, params, updates, shrunk)
        return updates, ProximalL1State(state.count + 1)

    return optax.GradientTransformation(init, update)


def transforms(params: optax.Params) -> Any:
    """Marks the parameters named `transform`: a pytree like them of booleans.

    >>> transforms({"embed": {"anchors": jnp.ones(1), "transform": jnp.ones(1)}})
    {'embed': {'anchors': False, 'transform': True}}

    Raises:
        InputError: if there is none.
    """
    marks = tree_map_with_path(lambda path, _: _name(path) == "transform", params)
    if not any(jax.tree.leaves(marks)):
        raise InputError(
            "no parameter is named 'transform', as those of AnchorEmbed are; say by mask= which "
            "are to be sparse."
        )
    return marks


def _name(path: tuple) -> Any:
    """The name of a parameter; that of a variable of nnx, whose own leaf is its `value`."""
    names = [getattr(key, "key", getattr(key, "name", None)) for key in path]
    return next((name for name in reversed(names) if name not in ("value", "raw_value")), None)


class L1Norm(NamedTuple):
    """`penalty * ||T||_1`: what is penalised, and its proximal step; fields as in `proximal_l1`."""

    penalty: optax.ScalarOrSchedule
    mask: Mask | None
    non_negative: bool | Mask
    fixed_from: int | None

    def marks(self, params: optax.Params) -> Any:
        """Says which parameters are penalised: a pytree like them."""
        return _spread(transforms if self.mask is None else self.mask, params)

    def shrink(self, params: Any, moved: Any, rates: Any, count: jax.Array) -> Any:
        """Takes the proximal step.

        Args:
            params: the parameters before the step of the optimiser.
            moved: after it.
            rates: of each parameter a number, or an array like it.
            count: int [], steps taken so far.

        Returns:
            What becomes of each parameter; None for those that are not penalised.
        """
        penalty = at_step(self.penalty, count)
        is_fixed = False if self.fixed_from is None else count >= self.fixed_from

        def of_one(old, new, rate, marked, is_non_negative):
            if np.ndim(marked) == 0 and not marked:
                return None
            threshold = jnp.where(is_fixed | ~jnp.asarray(marked), 0.0, rate * penalty)
            new = _soft_threshold(new, threshold, is_non_negative)
            return jnp.where(is_fixed & (old == 0), 0.0, new)

        return jax.tree.map(of_one, params, moved, rates, self.marks(params),
                            _spread(self.non_negative, params))  # fmt: skip


def _spread(choice: bool | Mask, params: optax.Params) -> Any:
    """Makes a pytree like the parameters of a choice for all, for some, or of a function."""
    found = choice(params) if callable(choice) else choice
    return jax.tree.map(lambda mark, below: jax.tree.map(lambda _: mark, below), found, params)


def at_step(number_or_schedule: optax.ScalarOrSchedule, count: jax.Array) -> Any:
    """Takes the value of a schedule; a number is its own."""
    return number_or_schedule(count) if callable(number_or_schedule) else number_or_schedule


def check_params(params: Any, name: str) -> None:
    """Raises InputError if an optimiser was given no parameters."""
    if params is None:
        raise InputError(f"{name} needs the parameters: tx.update(gradients, state, params).")


def _soft_threshold(q: jax.Array, threshold: jax.Array, is_non_negative: bool) -> jax.Array:
    """Takes the proximal step of the L1 norm: towards 0 by the threshold, and no further."""
    if is_non_negative:
        return jnp.maximum(q - threshold, 0.0)
    return jnp.sign(q) * jnp.maximum(jnp.abs(q) - threshold, 0.0)
