"""Proximal Yogi against a derivation in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcompress.anchors.yogi import proximal_yogi

B1, B2, EPS, NU = 0.9, 0.999, 1e-3, 1e-6


def make(penalty, *, mask=True, **others):
    """The optimiser of one penalised parameter."""
    return proximal_yogi(0.01, penalty, mask=mask, **others)


def take(tx, p, gradients):
    """The parameter after each step."""
    p = jnp.asarray(p, jnp.float32)
    state, seen = tx.init(p), []
    for g in gradients:
        updates, state = tx.update(jnp.asarray(g, jnp.float32), state, p)
        p = optax.apply_updates(p, updates)
        seen.append(np.asarray(p))
    return seen


def by_hand(p, gradients, weight):
    """The same in NumPy, float64, entry by entry as the paper writes it."""
    p, mu, nu, seen = np.array(p, float), 0.0, NU, []
    for t, g in enumerate(gradients, 1):
        g = np.asarray(g, float)
        mu = B1 * mu + (1 - B1) * g
        nu = nu - (1 - B2) * np.sign(nu - g**2) * g**2
        step = 0.01 * np.sqrt(1 - B2**t) / (1 - B1**t) / (np.sqrt(nu) + EPS)
        p = np.maximum(p - step * mu - step * weight, 0.0)
        seen.append(p)
    return seen


def test_steps_equal_the_derivation_to_a_millionth():
    rng = np.random.default_rng(0)
    p, gradients = rng.uniform(size=(5, 3)), 0.05 * rng.normal(size=(6, 5, 3))
    for weight in (0.0, 0.02):
        for ours, theirs in zip(
            take(make(weight), p, gradients), by_hand(p, gradients, weight), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_zeros_are_exact_and_nothing_is_below_them():
    rng = np.random.default_rng(1)
    seen = take(make(0.05), np.abs(rng.normal(size=(40, 4))) * 0.1, rng.normal(size=(30, 40, 4)))
    assert all((p >= 0).all() for p in seen)
    assert 0.1 < (seen[-1] == 0).mean() < 1.0


def test_a_table_of_both_signs_shrinks_to_zero_from_both_sides():
    p = take(make(1.0, non_negative=False), [[0.001, -0.001, 5.0]], np.zeros((1, 1, 3)))[0]
    threshold = 0.01 * 1.0 / (np.sqrt(NU) + EPS) * np.sqrt(1 - B2) / (1 - B1)
    np.testing.assert_allclose(p, [[0.0, 0.0, 5.0 - threshold]], rtol=1e-5)


def test_entries_that_are_not_marked_are_not_penalised():
    p = take(make(1.0, mask=np.array([[False, True]])), [[0.5, 0.5]], np.zeros((3, 1, 2)))[-1]
    assert p[0, 0] == 0.5
    assert p[0, 1] < 0.5


def test_the_schedule_of_the_penalty_is_applied():
    gradients = np.zeros((4, 1, 1))
    late = take(make(lambda step: 1e-3 * (step >= 2)), [[1.0]], gradients)
    assert late[1] == 1.0
    assert late[3] < late[2] < 1.0


def test_once_fixed_zeros_stay_and_the_penalty_is_off():
    tx = make(1.0, fixed_from=1)
    p = take(tx, [[0.0001, 1.0]], [[[0.0, 0.0]], [[-1.0, 0.0]], [[-1.0, 0.0]]])
    assert p[0][0, 0] == 0
    assert p[2][0, 0] == 0  # its gradient asks for more
    assert p[2][0, 1] == p[0][0, 1]  # no gradient, no penalty


def test_rows_outside_the_batch_shrink_unless_lazy():
    gradients = np.zeros((5, 2, 2))
    gradients[:, 0] = 0.01
    dense = take(make(0.01), [[1.0, 1.0], [1.0, 1.0]], gradients)[-1]
    lazy = take(make(0.01, lazy=True), [[1.0, 1.0], [1.0, 1.0]], gradients)[-1]
    assert (dense[1] < 1.0).all()
    assert (lazy[1] == 1.0).all()
    np.testing.assert_array_equal(dense[0], lazy[0])


def test_it_is_not_optax_yogi():
    p, g = jnp.ones(3), jnp.array([0.1, -0.2, 0.3])
    other = optax.yogi(0.01)
    theirs, _ = other.update(g, other.init(p), p)
    ours, _ = make(0.0, mask=False).update(g, make(0.0, mask=False).init(p), p)
    assert float(jnp.abs(ours - theirs).max()) > 1e-4


@pytest.mark.parametrize("lazy", [False, True])
def test_it_runs_under_jit_over_a_tree(lazy):
    params = {"transform": jnp.ones((3, 2)), "anchors": jnp.ones((2, 2)), "bias": jnp.ones(())}
    tx = proximal_yogi(
        lambda step: 0.01 / (1 + step),
        0.1,
        lazy=lazy,
    )
    gradients = jax.tree.map(jnp.ones_like, params)
    updates, state = jax.jit(tx.update)(gradients, tx.init(params), params)
    assert jax.tree.structure(updates) == jax.tree.structure(params)
    assert int(state.count) == 1
    assert float(updates["transform"][0, 0]) < float(updates["anchors"][0, 0]) < 0
