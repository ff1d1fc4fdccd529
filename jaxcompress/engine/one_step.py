"""A step of training, and several in one dispatch, whatever devices take them."""

from collections.abc import Callable

import jax
import optax

from jaxcompress.engine.task import PyTree, TrainState


def train_step(
    state: TrainState,
    batch: PyTree,
    key: jax.Array,
    *,
    loss: Callable,
    tx: optax.GradientTransformation,
    axis_name: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Takes one optimiser step; `key` is the run's and is folded with the step.

    Args:
        state: before the step.
        batch: what `loss` takes.
        key: the run's, the same for all steps.
        loss: of a `Task`.
        tx: the optimiser.
        axis_name: the axis over which gradients are averaged; None: there is none.

    Returns:
        The next state, and scalar metrics of the batch: `loss` and the task's own.
    """
    key, params = jax.random.fold_in(key, state.step), state.params
    if axis_name is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
        # Without this cast the gradient of replicated params is summed over replicas already.
        params = jax.tree.map(lambda p: _as_varying(p, axis_name), params)

    def of_params(params):
        return loss(params, state.aux, state.carry, batch, state.step, key)

    (value, (carry, metrics)), gradients = jax.value_and_grad(of_params, has_aux=True)(params)
    metrics = {"loss": value, **metrics}
    if axis_name is not None:
        gradients, metrics = jax.lax.pmean((gradients, metrics), axis_name)
    updates, opt_state = tx.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, opt_state, state.aux, carry), metrics


def _as_varying(x: jax.Array, axis_name: str) -> jax.Array:
    if hasattr(jax.lax, "pcast"):
        return jax.lax.pcast(x, axis_name, to="varying")
    return jax.lax.pvary(x, axis_name)  # its name before jax 0.8


def train_steps(state, data, index, key, *, gather, **kwargs):
    """Takes as many steps as `index` has entries, in one dispatch; metrics are [steps] each."""

    def body(state, index):
        return train_step(state, gather(data, index), key, **kwargs)

    return jax.lax.scan(body, state, index)
