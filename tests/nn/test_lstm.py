import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress.nn.lstm import LSTMState, LSTMWeights, lstm

T, B, D, H = 7, 3, 4, 5


@pytest.fixture
def case():
    rng = np.random.default_rng(0)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    weights = LSTMWeights(draw(D, 4 * H), draw(H, 4 * H), draw(4 * H))
    mask = jnp.asarray(rng.integers(0, 2, (B, H)) / 0.5, jnp.float32)
    return weights, draw(T, B, D), LSTMState(draw(B, H), draw(B, H)), mask


def step_by_step(weights, inputs, state, mask):
    """The equations, one step after the other."""
    output, cell = state
    outputs = []
    for x in inputs:
        gates = x @ weights.inputs + (output * mask) @ weights.outputs + weights.bias
        i, f, g, o = (gates[:, n * H : (n + 1) * H] for n in range(4))
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        output = jax.nn.sigmoid(o) * jnp.tanh(cell)
        outputs.append(output * mask)
    return jnp.stack(outputs), LSTMState(output, cell)


def test_outputs_and_state_are_those_of_the_equations(case):
    got, expected = lstm(*case), step_by_step(*case)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), got, expected)


def test_all_gradients_are_those_of_the_equations(case):
    weights, inputs, state, mask = case
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(step_by_step, *case)
    pulls = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), shapes)

    def scalar(function):
        def value(weights, inputs, state):
            out = function(weights, inputs, state, mask)
            return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, out, pulls)))

        return jax.grad(value, (0, 1, 2))(weights, inputs, state)

    got, expected = scalar(lstm), scalar(step_by_step)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), got, expected)


def test_a_sequence_in_two_parts_is_the_whole_sequence(case):
    weights, inputs, state, mask = case
    whole, end = lstm(weights, inputs, state, mask)
    first, between = lstm(weights, inputs[:3], state, mask)
    second, last = lstm(weights, inputs[3:], between, mask)
    np.testing.assert_allclose(jnp.concatenate([first, second]), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last.cell, end.cell, rtol=1e-5, atol=1e-6)


def test_a_masked_unit_reaches_neither_the_next_step_nor_the_next_layer(case):
    weights, inputs, state, _ = case
    mask = jnp.ones((B, H)).at[:, 2].set(0.0)
    outputs, _ = lstm(weights, inputs, state, mask)
    assert (outputs[:, :, 2] == 0).all()
    changed = weights._replace(outputs=weights.outputs.at[2].add(100.0))
    np.testing.assert_array_equal(lstm(changed, inputs, state, mask)[0], outputs)
