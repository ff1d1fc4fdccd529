"""The simplest predictions, and tables that are learned on top of biases."""

import dataclasses

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress import ant
from jaxcompress.ant.clusters import learn_dense_rows
from jaxcompress.ant.effects import (
    BIASES,
    choose_effects,
    fit_effects,
    next_window_errors,
    of_windows,
)
from jaxcompress.ant.model import SIDES
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.batches import draw_splits
from jaxcompress.data.ratings.read import Ratings, read_ratings
from jaxcompress.engine.loop import init_state


@pytest.fixture(scope="module")
def ratings(ratings_file):
    return read_ratings(str(ratings_file), with_times=True)


def test_biases_are_the_least_of_the_penalised_squares(ratings):
    at = draw_splits(len(ratings), "holdout", 0)["train"]
    found = fit_effects(ratings, at, (3.0, 2.0))
    design = np.zeros((len(at), 100))
    design[np.arange(len(at)), ratings.users[at]] = 1
    design[np.arange(len(at)), 60 + ratings.items[at]] = 1
    normal = design.T @ design + np.diag([3.0] * 60 + [2.0] * 40)
    expected = np.linalg.solve(normal, design.T @ (ratings.values[at] - ratings.values[at].mean()))
    np.testing.assert_allclose(np.append(found.users, found.items), expected, atol=2e-3)
    of_items = fit_effects(ratings, at, (np.inf, 2.0))
    rated = ratings.items[at] == 7
    deviation = (ratings.values[at] - ratings.values[at].mean())[rated].sum()
    np.testing.assert_allclose(of_items.items[7], deviation / (rated.sum() + 2), rtol=1e-6)
    assert (of_items.users == 0).all()


def test_shrinkages_are_those_of_least_validation_error(ratings):
    splits = draw_splits(len(ratings), "holdout", 0)
    chosen = choose_effects(ratings, splits["train"], splits["valid"])
    errors = [fit.mse(ratings, splits["valid"]) for fit in chosen.values()]
    assert errors[2] < errors[1] < errors[0]
    of_items = chosen["item means"].shrinkages[1]
    for other in (0.5, 32.0):
        fit = fit_effects(ratings, splits["train"], (np.inf, other))
        assert fit.mse(ratings, splits["valid"]) >= errors[1] or other == of_items


def later_changed(ratings, first):
    """The same ratings, but that those after the first ones are of other items and values."""
    late = ratings.times >= np.sort(ratings.times)[first]
    items = np.where(late, len(ratings.item_ids) - 1 - ratings.items, ratings.items)
    values = np.where(late, 5 - ratings.values, ratings.values)
    columns = (ratings.users, items.astype(np.int32), values.astype(np.float32), ratings.times)
    return Ratings(*columns, ratings.user_ids, ratings.item_ids)


def test_errors_on_a_window_know_nothing_of_later_ones(ratings):
    windows = np.split(np.argsort(ratings.times), 3)
    ours, others = (
        list(next_window_errors(some, windows)) for some in (ratings, later_changed(ratings, 1000))
    )
    assert ours[0] == others[0]
    assert ours[1] != others[1]
    assert ours[1]["user and item biases"] < ours[1]["item means"] < ours[1]["constant"]


@pytest.mark.parametrize(
    "model",
    [
        ant.ModelConfig(table="mixed", num_blocks=3, latent_dim=4),
        ant.ModelConfig(user_anchors=3, item_anchors=3, latent_dim=4, anchor_init="frequency"),
        pytest.param(
            ant.ModelConfig(user_anchors=3, item_anchors=3, latent_dim=4, anchor_init="clusters"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_stream_starts_by_its_first_window_alone(model, ratings):
    config = ant.Config(batch_size=100, model=model, stream=ant.StreamConfig(window=500))
    states = []
    for some in (ratings, later_changed(ratings, 500)):
        rows = learn_dense_rows(some, config) if model.anchor_init == "clusters" else None
        states.append(init_state(prepare(some, config, rows, say=lambda line: None).job))
    jax.tree.map(np.testing.assert_array_equal, *(state.params for state in states))


def test_a_stream_counts_ratings_as_they_come_and_has_the_biases_of_all_so_far(ratings):
    config = ant.Config(batch_size=100, stream=ant.StreamConfig(window=500))
    problem = prepare(ratings, config, say=lambda line: None)
    task, state = problem.job.task, init_state(problem.job)
    windows = problem.windows
    now = np.bincount(ratings.items[windows[0]], minlength=40)
    np.testing.assert_array_equal(state.aux["items"]["counts"], now)
    batch = {name: jnp.asarray(getattr(ratings, name)[windows[1]])
             for name in (*SIDES, "values")}  # fmt: skip
    batch["mask"] = jnp.arange(500) < 499
    _, sums = task.evaluate(state.params, state.aux, (), batch)
    at = jax.random.key(0), state.params, state.aux, {"valid": sums}
    params, aux = task.after_eval(5, *at)
    now = now + np.bincount(ratings.items[windows[1][:499]], minlength=40)
    np.testing.assert_array_equal(aux["items"]["counts"], now)
    for fits, biases in zip(of_windows(ratings, windows), (state.params, params), strict=True):
        np.testing.assert_allclose(biases["items_bias"], fits[BIASES].items, rtol=1e-5)
    np.testing.assert_array_equal(task.after_eval(10, *at)[0]["bias"], params["bias"])
    slopes = jax.grad(lambda params: task.loss(params, aux, (), batch, 5, None)[0])(params)
    assert not slopes["users_bias"].any()  # they are not learned with the tables
    assert slopes["users"]["transform"].any()


def test_biases_start_at_the_simplest_prediction_and_are_drawn_to_zero(ratings):
    config = ant.Config(
        model=ant.ModelConfig(table="dense", latent_dim=2),
        penalty=ant.PenaltyConfig(bias_shrinkage=3.0),
    )
    problem = prepare(ratings, config, say=lambda line: None)
    at, state = problem.splits["train"], init_state(problem.job)
    fit = fit_effects(ratings, at, (3.0, 3.0))
    np.testing.assert_allclose(state.params["users_bias"], fit.users, rtol=1e-5)
    np.testing.assert_allclose(state.params["items_bias"], fit.items, rtol=1e-5)
    params = {**state.params, **{s: {"table": jnp.zeros_like(state.params[s]["table"])}
                                 for s in SIDES}}  # fmt: skip
    batch = {name: jnp.asarray(getattr(ratings, name)[at]) for name in (*SIDES, "values")}
    loss, (_, figures) = problem.job.task.loss(params, state.aux, (), batch, 0, None)
    np.testing.assert_allclose(figures["mse"], fit.mse(ratings, at), rtol=1e-4)
    penalty = 3.0 * (np.square(fit.users).sum() + np.square(fit.items).sum()) / len(at)
    np.testing.assert_allclose(loss - figures["mse"], penalty, rtol=1e-3)


def test_rows_without_ratings_keep_the_effects_of_the_other_side(tmp_path):
    file = helpers.make_ratings(tmp_path)
    with open(file, "a") as stream:
        stream.write("nobody,100,3.0,9999\n")
    ratings = read_ratings(str(file))
    config = ant.Config(model=ant.ModelConfig(user_anchors=2, item_anchors=2, latent_dim=2))
    for seed in range(20):  # of some split, the one rating is no training rating
        problem = prepare(ratings, dataclasses.replace(config, seed=seed), say=lambda line: None)
        nobody = ratings.user_ids.index("nobody")
        if nobody not in ratings.users[problem.splits["train"]]:
            break
    state = init_state(problem.job)
    assert float(state.params["users_bias"][nobody]) == 0
    params = {**state.params, "users": jax.tree.map(jnp.zeros_like, state.params["users"])}
    batch = {"users": jnp.full(40, nobody), "items": jnp.arange(40)}
    found, _ = problem.model.apply({"params": params}, batch, state.aux, fill=True)
    np.testing.assert_allclose(found, params["bias"] + params["items_bias"], rtol=1e-6)
