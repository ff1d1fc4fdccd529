"""Errors that count some directions more, and directions alone."""

import numpy as np
import pytest

import jaxcompress
from jaxcompress import Codes, InputError, dccl
from jaxcompress.codes.finish import store_as
from jaxcompress.codes.metric import make_metric
from jaxcompress.codes.rows import make_table


def problem():
    """Rows whose first dimensions are large, and queries that look at the last ones."""
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(500, 8)) * np.geomspace(2, 0.5, 8)).astype(np.float32)
    return rows, rng.normal(size=(300, 8)) * np.geomspace(0.05, 1, 8)


CONFIG = dccl.Config(batch_size=64, num_steps=60, refine=dccl.RefineConfig(num_rounds=8))


def test_the_plain_error_of_its_rows_is_that_of_the_metric():
    rows, queries = problem()
    moment = queries.T @ queries / len(queries)
    metric = make_metric(moment, 8)
    seen = np.square(metric.of_rows(rows).astype(np.float64)).sum(axis=1)
    ridge = 1e-2 * np.trace(moment) / 8
    expected = np.einsum("nd,de,ne->n", rows, moment + ridge * np.eye(8), rows)
    np.testing.assert_allclose(seen, expected / (1.01 * np.trace(moment) / 8), rtol=1e-4)
    np.testing.assert_allclose(metric.to_rows(metric.of_rows(rows)), rows, atol=1e-4)
    of_queries = make_metric(queries, 8)
    np.testing.assert_allclose(of_queries.root, metric.root, atol=1e-6)
    np.testing.assert_allclose(make_metric(1e30 * moment, 8).root, metric.root, atol=1e-6)


def test_products_with_queries_are_nearer_and_rows_are_not():
    rows, queries = problem()
    plain = jaxcompress.compress(rows, 4, 4, config=CONFIG)
    aware = jaxcompress.compress(rows, 4, 4, config=CONFIG, metric=queries)
    errors = [np.square((rows - t.decode()) @ queries.T).mean() for t in (plain, aware)]
    assert errors[1] < 0.7 * errors[0]
    assert np.square(rows - plain.decode()).mean() < np.square(rows - aware.decode()).mean()
    stated = float(aware.metadata["mean_squared_l2"])
    np.testing.assert_allclose(stated, np.square(rows - aware.decode()).sum(1).mean(), rtol=1e-4)
    assert (aware.codebooks[1:, -1] == 0).all()  # the short form of files
    assert aware.codebook_type == "float16"


def test_cosine_codes_stand_for_directions():
    rows, _ = problem()
    rows[:250] *= 100
    table = jaxcompress.compress(rows, 4, 4, config=CONFIG, objective="cosine")
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    error = np.square(unit - table.decode()).sum(axis=1)
    assert error.mean() < 0.35
    assert error[:250].mean() < 1.3 * error[250:].mean()


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (np.ones((4, 5)), r"metric is \[4, 5\]; expected \[8, 8\], or queries \[Q, 8\]"),
        (np.ones(8), r"metric"),
        (np.full((8, 8), np.nan), "NaN or infinity"),
        (np.zeros((3, 8)), "all zeros"),
        (-np.eye(8), "negative eigenvalue"),
    ],
)
def test_what_is_no_metric_is_refused(metric, message):
    with pytest.raises(InputError, match=message):
        make_metric(metric, 8)


def test_another_objective_is_refused():
    with pytest.raises(InputError, match=r'objective is "?.?l1'):
        jaxcompress.compress(problem()[0], 4, 4, objective="l1")


def test_a_metric_and_groups_are_refused_before_anything_is_trained():
    model = dccl.ModelConfig(num_groups=2, codebooks_per_group=3)
    with pytest.raises(InputError, match="codebooks_per_group is 3; expected 0"):
        jaxcompress.compress(problem()[0], config=dccl.Config(model=model), metric=np.eye(8))


@pytest.mark.parametrize("codebook_type", ["int8", None])
def test_the_last_search_is_by_the_metric(codebook_type):
    rows, queries = problem()
    metric = make_metric(queries, 8)
    seen = metric.of_rows(rows)
    rng = np.random.default_rng(1)
    codes = Codes(rng.integers(0, 4, (500, 3)), rng.normal(size=(3, 4, 8)) * seen.std(axis=0))
    stored = store_as(make_table(seen), codes, codebook_type, metric=metric, num_rounds=2)
    before = np.square(seen - codes.decode()).sum(axis=1)
    after = np.square(seen - metric.of_rows(stored.decode())).sum(axis=1)
    assert (after < 1.05 * before + 1e-3).all()
    assert after.mean() < 0.8 * before.mean()
    assert stored.codebook_type == (codebook_type or "float16")
