"""Settings that follow from the ratings, or are chosen on validation ratings."""

import functools
import json

import helpers
import jax
import numpy as np
import pytest

import jaxcompress.ant.run
import train.ant
from jaxcompress import ant
from jaxcompress.ant.alone import or_biases_alone
from jaxcompress.ant.choose import choose
from jaxcompress.ant.export import to_artefact
from jaxcompress.ant.inspect import inspect
from jaxcompress.ant.model import SIDES, masks_of
from jaxcompress.ant.plan import make_eval_feed, settle
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.read import Ratings, read_ratings
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import evaluate, init_state


@pytest.fixture(scope="module")
def ratings(ratings_file):
    return read_ratings(str(ratings_file))


def test_the_budget_is_a_share_of_a_dense_table(ratings):
    config = settle(ratings, ant.published_config("ant", share=0.5))
    assert config.penalty.num_parameters == 100 * 16 / 2  # all rows have training ratings
    assert config.batch_size == 32  # at least


def test_a_budget_that_is_not_reached_is_said(ratings):
    said = []
    config = ant.published_config("ant", num_parameters=200, batch_size=64)
    prepare(ratings, config, say=said.append)
    least = 100 + 1 + 2 * 32 * 16
    assert f"num_parameters is 200; anchors and biases alone are {least:,}" in said[0]
    said.clear()
    prepare(ratings, ant.published_config("ant", num_parameters=2000), say=said.append)
    assert said == []


def test_batches_and_eps_follow_from_the_ratings(ratings):
    config = settle(ratings, ant.published_config("mf", share=0.5))
    assert (config.batch_size, config.optimizer.eps) == (32, 0.1 / 32)
    assert settle(ratings, ant.published_config("mf")).optimizer.eps == 1e-3


def test_what_is_open_is_chosen_by_whole_runs_on_validation_ratings(ratings):
    tried, said = [], []
    config = ant.published_config("ant", share=1.0)

    def error(ratings, config):
        anchors = config.model.user_anchors
        assert config.model.item_anchors == anchors
        tried.append((config.penalty.l2, anchors))
        assert config.num_epochs == ant.published_config("ant", share=1.0).num_epochs
        return abs(np.log2(config.penalty.l2 / 0.32)) + abs(anchors - 8)

    choice = choose(ratings, config, said.append, error)
    assert (choice["l2"], choice["num_anchors"]) == (0.32, 8)
    assert len(set(tried)) == len(tried) == len(said) - 1  # each once, and all are said
    assert max(anchors for _, anchors in tried) == 16  # 32 are more than half of what is left
    tried.clear()
    choose(ratings, ant.published_config("mf", share=0.25), said.append, lambda *_: 1.0)
    assert tried == []  # a dense table has no anchors to choose
    choice = choose(ratings, ant.published_config("ant", share=0.125), said.append, lambda *_: 1.0)
    assert choice["num_anchors"] == 4  # the fewest there are


def test_tables_that_are_not_better_than_biases_are_left_out(ratings):
    model = ant.ModelConfig(user_anchors=4, item_anchors=4)
    config = ant.Config(batch_size=64, num_epochs=4, model=model)
    said = []
    problem = prepare(ratings, config, say=said.append)
    fitted = Fitted(init_state(problem.job), 0.0, 0)
    left = or_biases_alone(problem, fitted, said.append)
    assert "they are left out, and biases predict" in said[0]
    valid = problem.splits["valid"]
    figures = problem.job.task.metrics(evaluate(problem.job, left.state, make_eval_feed(valid)))
    alone = problem.effects["user and item biases"]
    assert figures["mse"] == pytest.approx(alone.mse(ratings, valid), rel=1e-5)
    assert round(figures["parameters"]) == alone.num_parameters()
    artefact = to_artefact(problem, *jax.device_get((left.state.params, left.state.aux)))
    assert [artefact.part(side).num_anchors for side in SIDES] == [1, 1]  # the mean row, which is 0
    assert not artefact.decode(np.arange(100)).any()
    assert inspect(problem, left.state, 3, "items") == []

    apply = problem.model.apply
    batch = {"users": ratings.users, "items": ratings.items}
    params, masks = fitted.state.params, masks_of(fitted.state.aux)
    values = np.asarray(apply({"params": params}, batch, masks, fill=True)[0])
    columns = (ratings.users, ratings.items, values, ratings.times)
    as_predicted = Ratings(*columns, ratings.user_ids, ratings.item_ids)
    problem = prepare(as_predicted, config, say=said.append)
    assert or_biases_alone(problem, fitted, said.append) is fitted  # which has no error at all


def test_a_run_keeps_what_it_chose(ratings_file, tmp_path, monkeypatch, capsys):
    error = lambda ratings, config: config.penalty.l2
    monkeypatch.setattr(jaxcompress.ant.run, "choose", functools.partial(choose, error=error))
    arguments = [
        "train/ant.py", f"--config={helpers.ROOT}/configs/ratings.py:mf",
        f"--config.data.path={ratings_file}", f"--workdir={tmp_path / 'run'}",
        "--config.report=false", "--config.num_steps=40", "--config.eval_every=40",
        "--config.model.latent_dim=2",
    ]  # fmt: skip
    assert train.ant.main(arguments) == 0
    assert "l2 0.01: validation MSE 0.0100" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "choice.json").read_text())["l2"] == 0.01
    assert train.ant.main([*arguments[:1], "--mode=evaluate", arguments[3]]) == 0
    assert "chosen before: l2 0.01" in capsys.readouterr().out
