"""Anchor & Transform: mixes, what is dropped, the number of anchors, the baselines' tables."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress import ant
from jaxcompress.anchors import growth as anchors_growth
from jaxcompress.anchors.growth import climb, no_growth, observe, resize, trend
from jaxcompress.anchors.pruning import gradual_count, keep_largest, saliency
from jaxcompress.anchors.table import AnchorTable, random_transform
from jaxcompress.ant.baselines import DenseTable, NeuralFactorization, mixed_dimensions
from jaxcompress.ant.model import SIDES, RatingModel, num_nonzero, num_others, product
from jaxcompress.ant.schedule import make_schedule
from jaxcompress.ant.starts import Start
from jaxcompress.ant.task import make_task
from jaxcompress.errors import InputError


def everything(count):
    return jnp.ones(count, bool)


def test_a_row_is_the_mix_of_its_anchors():
    table = AnchorTable(3, 2, 2)
    params = {"transform": jnp.array([[1.0, 0.0], [2.0, 3.0], [0.0, 0.0]]),
              "anchors": jnp.array([[1.0, 10.0], [0.5, -1.0]])}  # fmt: skip
    rows = table.apply({"params": params}, jnp.array([1, 0, 2]), everything(2))
    np.testing.assert_allclose(rows, [[2 * 1 + 3 * 0.5, 20 - 3], [1, 10], [0, 0]])
    rows = table.apply({"params": params}, jnp.array([1]), jnp.array([True, False]))
    np.testing.assert_allclose(rows, [[2, 20]])
    mean = table.apply({"params": params}, jnp.array([True, True, False]), everything(2),
                       method="mean")  # fmt: skip
    np.testing.assert_allclose(mean, [(1 + 2 + 1.5) / 2, (10 + 17) / 2])


def a_model(table="anchors", biases=False):
    make = {
        "anchors": lambda v: AnchorTable(v, 3, 4),
        "dense": lambda v: DenseTable(v, 4),
        "mixed": lambda v: mixed_dimensions(np.arange(v, 0, -1), 2, 4, 0.5),
    }[table]
    return RatingModel(make(6), make(5), product, 3.0, biases)


def a_task(table="anchors", biases=False, config=None, end=100):
    counts = {"users": np.array([4, 3, 2, 2, 1, 0]), "items": np.array([4, 3, 3, 2, 0])}
    starts = {
        side: Start(c, np.where(c > 0, 0, 2**31 - 1), 3 if table == "anchors" else 4, {})
        for side, c in counts.items()
    }
    config = config or ant.Config()
    return make_task(config, a_model(table, biases), starts, make_schedule(config, end, 10), {})


BATCH = {
    "users": jnp.array([0, 1, 2, 5]),
    "items": jnp.array([1, 2, 3, 4]),
    "values": jnp.array([4.0, 2.0, 5.0, 1.0]),
    "mask": jnp.array([True, True, True, False]),
}


@pytest.mark.parametrize("table", ["anchors", "dense", "mixed"])
def test_the_loss_is_the_squared_error_and_the_gradient_its_slope(table):
    config = ant.Config(penalty=ant.PenaltyConfig(l2=0.1))
    task = a_task(table, biases=True, config=config)
    params, aux = task.init(jax.random.key(0))
    model = a_model(table, biases=True)
    masks = {side: aux[side] for side in SIDES}
    rows = {side: np.asarray(model.apply({"params": params}, side, masks, method="rows"))
            for side in SIDES}  # fmt: skip

    def loss(params):
        return task.loss(params, aux, (), {k: v[:3] for k, v in BATCH.items()}, 0, None)[0]

    u, i = rows["users"][[0, 1, 2]], rows["items"][[1, 2, 3]]
    error = (3.0 + (u * i).sum(1) - np.array([4.0, 2, 5])) ** 2
    expected = error.mean() + 0.1 * ((u**2).sum(1) + (i**2).sum(1)).mean()
    np.testing.assert_allclose(loss(params), expected, rtol=1e-5)
    gradient, direction = jax.grad(loss)(params), jax.tree.map(jnp.ones_like, params)
    slope = sum(jax.tree.leaves(jax.tree.map(lambda g, d: (g * d).sum(), gradient, direction)))
    h = 1e-2
    moved = [jax.tree.map(lambda p, d, s=s: p + s * d, params, direction) for s in (h, -h)]
    np.testing.assert_allclose(slope, (loss(moved[0]) - loss(moved[1])) / (2 * h), rtol=1e-2)


def test_rows_without_a_training_rating_are_the_mean_of_the_others():
    task = a_task()
    params, aux = task.init(jax.random.key(0))
    assert (params["users"]["transform"][5] == 0).all()
    masks = {side: aux[side] for side in SIDES}
    rows = a_model().apply({"params": params}, "users", masks, method="rows")
    np.testing.assert_allclose(rows[5], rows[:5].mean(axis=0), rtol=1e-5)
    _, sums = task.evaluate(params, aux, (), BATCH)
    assert float(sums["count"]) == 3


def test_parameters_are_counted_by_table():
    params, aux = a_task(biases=True).init(jax.random.key(0))
    # 5 and 4 rows seen x 3 entries; 2 x 3 x 4 anchors, biases of the rows seen and one
    assert int(num_nonzero(params, aux)) == 27
    assert int(num_others(params, aux)) == 24 + 9 + 1
    params, aux = a_task("dense").init(jax.random.key(0))
    assert int(num_nonzero(params, aux)) == 9 * 4
    assert int(num_others(params, aux)) == 1


def test_saliency_is_the_rise_of_the_squared_error_where_all_pairs_are_rated():
    rng = np.random.default_rng(0)
    transform, anchors, others = (
        rng.random((5, 3)),
        rng.normal(size=(3, 4)),
        rng.normal(size=(7, 4)),
    )
    counts = np.full(5, 7.0)
    found = saliency(
        jnp.array(transform),
        jnp.array(anchors),
        jnp.array(counts),
        jnp.array(others.T @ others / 7),
    )
    for v, k in ((0, 0), (3, 2)):
        without = transform.copy()
        without[v, k] = 0
        rise = ((transform - without) @ anchors @ others.T) ** 2
        np.testing.assert_allclose(found[v, k], rise.sum() * 7**0.7 / 7, rtol=1e-5)


def test_the_largest_are_kept_over_both_tables():
    tables = [jnp.arange(1.0, 5.0).reshape(2, 2), jnp.arange(5.0, 7.0).reshape(1, 2)]
    scores = [jnp.array([[9.0, 1.0], [2.0, 8.0]]), jnp.array([[3.0, 7.0]])]
    kept = keep_largest(scores, tables, jnp.int32(3))
    np.testing.assert_array_equal(kept[0], [[1, 0], [0, 4]])
    np.testing.assert_array_equal(kept[1], [[0, 6]])


def test_entries_go_along_a_cubic_curve():
    counts = [int(gradual_count(jnp.int32(s), 10, 30, 1000, 200)) for s in (10, 20, 30, 40)]
    assert counts == [1000, 200 + 800 / 8, 200, 200]


def growth_of(objectives, direction=1, count=None):
    return no_growth()._replace(
        objectives=jnp.array(objectives, float),
        num_evaluations=jnp.int32(len(objectives) if count is None else count),
        direction=jnp.int32(direction),
    )


@pytest.mark.parametrize(
    ("objectives", "count", "expected"),
    [
        ([3.0, 2.0, 1.0], 3, 1),
        ([2.0, 2.0, 2.0], 3, 1),
        ([1.0, 2.0, 3.0], 3, -1),
        ([2.0, 1.0, 3.0], 3, 0),
        ([1.0, 3.0, 2.0], 3, 0),
        ([np.inf, 1.0, 9.0], 2, 1),
    ],
)
def test_the_rule_of_the_reference(objectives, count, expected):
    assert int(trend(growth_of(objectives, count=count))) == expected


def test_climbing_turns_where_the_objective_rose():
    assert int(climb(growth_of([9.0, 3.0, 2.0], 1))) == 1
    assert int(climb(growth_of([9.0, 3.0, 2.0], -1))) == -1
    assert int(climb(growth_of([0.0, 2.0, 3.0], 1))) == -1
    assert int(climb(growth_of([0.0, 2.0, 3.0], -1))) == 1


def test_the_objective_and_the_best_number_are_remembered():
    value = anchors_growth.objective(0.5, 1000, 20, 0.01, 2e-6)
    np.testing.assert_allclose(value, 0.5 + 2e-3 + 20 * (0.01 - 2e-6))
    growth = no_growth()
    for objective, numbers in ((3.0, [10, 10]), (1.0, [12, 12]), (2.0, [14, 14])):
        growth = observe(growth, jnp.float32(objective), jnp.array(numbers))
    assert list(growth.objectives) == [3.0, 1.0, 2.0]
    assert list(growth.best_count) == [12, 12]


def test_anchors_join_and_the_least_important_go():
    table = {"transform": jnp.ones((4, 6)), "anchors": jnp.ones((6, 2))}
    active = jnp.array([True, True, False, True, False, False])
    importance = jnp.array([5.0, 1.0, 0.0, 3.0, 0.0, 0.0])
    change = functools.partial(
        resize, jax.random.key(0), table, active, importance=importance,
        transform_init=random_transform,
    )  # fmt: skip
    new, now = change(change=jnp.int32(2))
    t, a = new["transform"], new["anchors"]
    np.testing.assert_array_equal(now, [True, True, True, True, True, False])
    assert (np.asarray(t)[:, [0, 1, 3]] == 1).all()
    assert (np.asarray(t)[:, [2, 4]] != 1).all()
    assert (np.asarray(t) >= 0).all()
    assert (np.asarray(a)[[2, 4]] != 1).all()
    new, now = change(change=jnp.int32(-1))
    np.testing.assert_array_equal(now, [True, False, False, True, False, False])
    assert (np.asarray(new["transform"][:, 1]) == 0).all()
    _, now = change(change=jnp.int32(-9))
    np.testing.assert_array_equal(now, [True, False, False, False, False, False])
    _, now = change(change=jnp.int32(9))
    assert now.all()


def test_pruning_meets_the_number_of_parameters():
    config = ant.Config(
        prune_steps=20, debias_steps=30, penalty=ant.PenaltyConfig(num_parameters=24 + 1 + 11)
    )
    task = a_task(config=config)
    params, aux = task.init(jax.random.key(0))
    key = jax.random.key(1)
    same, _ = task.after_eval(40, key, params, aux, {})
    assert int(num_nonzero(same, aux)) == 27
    between, _ = task.after_eval(60, key, params, aux, {})
    assert int(num_nonzero(between, aux)) == 11 + (27 - 11) // 8
    last, _ = task.after_eval(70, key, params, aux, {})
    assert int(num_nonzero(last, aux)) == 11
    assert int(num_nonzero(last, aux) + num_others(last, aux)) == 36


def test_mixed_dimensions_share_no_row_and_follow_the_power_rule():
    counts = np.array([1, 100, 9, 30, 2, 58, 0])
    table = mixed_dimensions(counts, 3, 8, 0.5)
    assert sorted(table.ranks) == list(range(7))
    assert np.argsort(table.ranks)[:3].tolist() == [1, 5, 3]  # by frequency
    assert table.starts == (0, 1, 2, 7)  # a third of 200 each: 100 | 58 | the rest
    means = [100, 58, (30 + 9 + 2 + 1 + 0) / 5]
    assert list(table.dims) == [max(1, round(8 * (m / 100) ** 0.5)) for m in means]
    params = table.init(jax.random.key(0), jnp.zeros(1, int), everything(8))
    rows = table.apply(params, jnp.arange(7), everything(8))
    assert len(np.unique(np.asarray(rows).round(6), axis=0)) == 7
    mean = table.apply(params, jnp.ones(7), everything(8), method="mean")
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-5, atol=1e-7)


def test_the_deeper_network_holds_the_product():
    network = NeuralFactorization((3,))
    users, items = jnp.array([[1.0, 2.0]]), jnp.array([[3.0, -1.0]])
    params = network.init(jax.random.key(0), users, items)["params"]
    params["Dense_1"]["kernel"] = jnp.array([[1.0], [1.0], [0.0], [0.0], [0.0]])
    np.testing.assert_allclose(network.apply({"params": params}, users, items), [3.0 - 2.0])


def test_phases_must_fit_into_the_run():
    config = ant.Config(
        prune_steps=20, debias_steps=30, growth=ant.GrowthConfig(enabled=True, num_steps=60)
    )
    with pytest.raises(InputError, match="too few for 60 steps of growth"):
        make_schedule(config, 100, 10)
    assert make_schedule(config, 120, 10) == (60, 70, 90, 120, 91, 0)


def test_phases_are_shares_of_the_run_where_parameters_are_to_go():
    config = ant.published_config("nbant", num_parameters=100)
    assert make_schedule(config, 60, 1) == (15, 26, 40, 60, 41, 20)
    config = ant.Config(growth=ant.GrowthConfig(enabled=True))
    assert make_schedule(config, 60, 1) == (60, 60, 60, 60, 0, 0)
    assert make_schedule(ant.Config(), 60, 1) == (0, 60, 60, 60, 1, 0)


@pytest.mark.parametrize("method", ant.METHODS)
def test_every_published_config_is_possible(method):
    ant.published_config(method, num_parameters=100).check()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": ant.ModelConfig(table="cubes")}, "model.table is 'cubes'; it must be one of"),
        ({"penalty": ant.PenaltyConfig(transform=-1.0)}, "penalty.transform is -1.0"),
        ({"model": ant.ModelConfig(table="dense"), "growth": ant.GrowthConfig(enabled=True)},
         "only model.table anchors can grow"),
        ({"data": ant.DataConfig(related_items="x")}, "model.anchor_init frequency"),
        ({"debias_steps": -1}, "debias_steps is -1"),
    ],
)  # fmt: skip
def test_settings_that_are_not_possible(change, message):
    with pytest.raises(InputError, match=message):
        ant.Config(**change).check()
