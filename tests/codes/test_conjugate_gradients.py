import jax
import numpy as np

from jaxcompress.codes import least_squares
from jaxcompress.codes.conjugate_gradients import conjugate_gradients
from jaxcompress.codes.precision import exact_products


def test_conjugate_gradients_find_the_codebooks_of_float64():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 5)).astype(np.float32) + 3.0
    codes = rng.integers(0, 7, (600, 4))  # of 8 codewords one is never used
    one_hot = np.eye(8)[codes].reshape(600, -1)
    counts = one_hot.T @ one_hot
    matrix = counts + least_squares._RIDGE * np.trace(counts) / len(counts) * np.eye(len(counts))
    targets = one_hot.T @ rows.astype(np.float64)
    targets[:, 4] = 0.0  # a column that is solved from the start
    solve = jax.jit(exact_products(conjugate_gradients), static_argnums=2)
    found = solve(matrix.astype(np.float32), targets.astype(np.float32), least_squares._NUM_STEPS)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, targets), atol=1e-3)
    assert not np.asarray(found)[:, 4].any()


def test_rows_are_as_close_as_with_a_decomposition_where_steps_are_few_for_the_unknowns():
    rng = np.random.default_rng(1)
    shares = 1.0 / np.arange(1, 17)  # some codewords are used sixteen times as often as others
    codes = rng.choice(16, (6000, 72), p=shares / shares.sum())
    one_hot = np.eye(16, dtype=np.float32)[codes].reshape(6000, -1)
    rows = one_hot @ rng.normal(size=(one_hot.shape[1], 3)) + rng.normal(size=(6000, 3))
    counts = one_hot.T @ one_hot
    matrix = counts + least_squares._RIDGE * np.trace(counts) / len(counts) * np.eye(len(counts))
    assert len(matrix) > least_squares._MOST_DECOMPOSED
    targets = one_hot.T @ rows
    solve = jax.jit(exact_products(conjugate_gradients), static_argnums=2)
    found = solve(matrix.astype(np.float32), targets.astype(np.float32), least_squares._NUM_STEPS)
    exact = np.linalg.solve(matrix.astype(np.float64), targets)
    error, least = (np.square(rows - one_hot @ np.asarray(x)).sum() for x in (found, exact))
    assert abs(error / least - 1) < 1e-5
