"""The proximal step behind other optimisers, against its closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxcompress import InputError, anchors

RATE, PENALTY = 0.1, 0.5


def step(tx, params, gradients, state=None):
    updates, state = tx.update(gradients, tx.init(params) if state is None else state, params)
    return optax.apply_updates(params, updates), state


@pytest.mark.parametrize("non_negative", [True, False])
def test_a_step_is_the_soft_threshold_of_that_of_the_optimiser(non_negative):
    rng = np.random.default_rng(0)
    old = {name: rng.normal(size=(40, 3)).astype(np.float32) for name in ("transform", "anchors")}
    gradients = {name: rng.normal(size=(40, 3)).astype(np.float32) for name in old}
    step_of_l1 = anchors.proximal_l1(RATE, PENALTY, non_negative=non_negative)
    for sgd in (optax.sgd(RATE), optax.sgd(RATE, momentum=0.9)):
        tx = optax.chain(sgd, step_of_l1)
        found = jax.jit(lambda p, g, tx=tx: step(tx, p, g))(old, gradients)[0]
        q = old["transform"] - RATE * gradients["transform"].astype(np.float64)
        expected = np.sign(q) * np.maximum(np.abs(q) - RATE * PENALTY, 0)
        if non_negative:
            expected = np.maximum(q - RATE * PENALTY, 0)
        np.testing.assert_allclose(found["transform"], expected, atol=1e-6)
        assert ((np.asarray(found["transform"]) == 0) == (expected == 0)).all()
        plain = old["anchors"] - RATE * gradients["anchors"]
        np.testing.assert_allclose(found["anchors"], plain, atol=1e-6)


@pytest.mark.parametrize("non_negative", [True, False])
def test_steps_end_at_the_minimum_of_the_penalised_objective(non_negative):
    """Of `|p - c|^2 / 2 + penalty |p|_1`: c, closer to 0 by the penalty."""
    c = jnp.array([2.0, 0.6, 0.4, -0.3, -2.0])
    tx = optax.chain(optax.sgd(RATE), anchors.proximal_l1(RATE, PENALTY, non_negative=non_negative))
    params, state = {"transform": jnp.ones(5)}, None
    for _ in range(150):
        params, state = step(tx, params, {"transform": params["transform"] - c}, state)
    expected = [1.5, 0.1, 0, 0, 0 if non_negative else -1.5]
    np.testing.assert_allclose(params["transform"], expected, atol=1e-5)
    assert (params["transform"][2:4] == 0).all()


def test_rate_and_penalty_may_be_schedules_and_zeros_may_be_fixed():
    params, nothing = {"transform": jnp.array([0.01, 1.0])}, {"transform": jnp.zeros(2)}
    tx = anchors.proximal_l1(lambda t: 0.1 / (1 + t), lambda t: 0.5 * (t < 3), fixed_from=2)
    params, state = step(tx, params, nothing)
    np.testing.assert_allclose(params["transform"], [0, 0.95])
    params, state = step(tx, params, nothing, state)
    np.testing.assert_allclose(params["transform"], [0, 0.925])
    params, state = step(tx, params, {"transform": jnp.array([0.2, 0.2])}, state)
    np.testing.assert_allclose(params["transform"], [0, 1.125])


def test_a_mask_names_other_parameters_or_single_entries():
    params = {"a": jnp.ones((2, 2)), "b": jnp.ones(2)}
    nothing = jax.tree.map(jnp.zeros_like, params)
    for mask in ({"a": np.eye(2, dtype=bool), "b": False},
                 lambda params: {"a": jnp.eye(2, dtype=bool), "b": False}):  # fmt: skip
        found, _ = step(anchors.proximal_l1(1.0, 0.25, mask=mask), params, nothing)
        np.testing.assert_array_equal(found["a"], [[0.75, 1], [1, 0.75]])
        np.testing.assert_array_equal(found["b"], [1, 1])


def test_the_parameters_of_nnx_are_found_by_their_names_too():
    class Model(nnx.Module):
        def __init__(self):
            self.transform = nnx.Param(jnp.full((3, 2), 0.04))
            self.value = nnx.Param(jnp.ones(2))

    for tx in (
        optax.chain(optax.sgd(0.1), anchors.proximal_l1(0.1, PENALTY)),
        anchors.proximal_yogi(0.1, penalty=50.0),
    ):
        model = Model()
        optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
        gradients = nnx.grad(lambda model: 0.0 * model.transform[...].sum())(model)
        optimizer.update(model, gradients)
        assert (model.transform[...] == 0).all()
        assert (model.value[...] == 1).all()


@pytest.mark.parametrize("make", [anchors.proximal_l1, anchors.proximal_yogi])
def test_wrong_use_is_one_line(make):
    tx = make(0.1, 0.1)
    with pytest.raises(InputError, match=r"no parameter is named 'transform'.*mask="):
        tx.init({"transform": {"kernel": jnp.ones(2)}})
    params = {"transform": jnp.ones(2)}
    with pytest.raises(InputError, match=r"needs the parameters: tx.update\("):
        tx.update(params, tx.init(params))
