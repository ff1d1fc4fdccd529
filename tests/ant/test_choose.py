"""Settings that follow from the ratings, or are chosen on validation ratings."""

import json

import helpers
import numpy as np
import pytest

import jaxcompress.ant.choose
import train.ant
from jaxcompress import ant
from jaxcompress.ant.choose import choose
from jaxcompress.ant.plan import settle
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.read import read_ratings


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


def test_what_is_open_is_chosen_on_validation_ratings(ratings, monkeypatch):
    tried = []

    def valid_mse(ratings, config):
        anchors = config.model.user_anchors
        assert config.model.item_anchors == min(anchors, 40)  # there are 40 items
        tried.append((config.penalty.l2, anchors))
        assert config.num_epochs == 15
        return abs(np.log2(config.penalty.l2 / 0.16)) + abs(anchors - 32)

    monkeypatch.setattr(jaxcompress.ant.choose, "_valid_mse", valid_mse)
    said = []
    choice = choose(ratings, ant.published_config("ant", share=0.25), said.append)
    assert (choice["l2"], choice["num_anchors"]) == (0.16, 32)
    assert len(set(tried)) == len(tried) == len(said) - 1  # each once, and all are said
    tried.clear()
    choose(ratings, ant.published_config("mf", share=0.25), said.append)
    assert {anchors for _, anchors in tried} == {32}  # a dense table has none to choose


def test_a_run_keeps_what_it_chose(ratings_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        jaxcompress.ant.choose, "_valid_mse", lambda ratings, config: config.penalty.l2
    )
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
