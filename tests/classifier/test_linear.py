"""The simplest classifier, and what is chosen on validation texts."""

import json

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import train.sentiment
from jaxcompress import classifier
from jaxcompress.classifier import choose
from jaxcompress.classifier.corpus import number_corpus
from jaxcompress.classifier.feeds import make_gather, settle
from jaxcompress.classifier.linear import choose_linear, fit_logistic
from jaxcompress.classifier.prepare import prepare
from jaxcompress.data.labelled.read import LabelledText
from jaxcompress.tables import dense_table

RNG = np.random.default_rng(0)
MEANS = RNG.normal(size=(3, 4))


def draw(count):
    labels = RNG.integers(0, 3, count)
    return MEANS[labels] + RNG.normal(size=(count, 4)), labels


def test_a_logistic_regression_is_where_its_gradient_is_zero():
    features, labels = draw(60)
    found, _ = fit_logistic(features, labels, 0.1, np.zeros((5, 3)))

    def objective(weights):
        logits = features @ weights[:-1] + weights[-1]
        losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(60), labels]
        return losses.mean() + 0.05 * np.square(weights[:-1]).sum()

    for _ in range(8):
        step = 0.01 * RNG.normal(size=found.shape)
        ahead, behind = objective(found + step), objective(found - step)
        assert ahead > objective(found) < behind
        np.testing.assert_allclose(ahead, behind, atol=1e-5)


def test_the_weight_is_the_best_of_the_grid_whatever_the_scale_of_features():
    train, valid, weights = draw(30), draw(400), (10.0, 1.0, 0.1, 0.01, 0.001)
    each = [choose_linear(train, valid, 3, [weight]) for weight in weights]
    best = min(each, key=lambda one: one.cross_entropy)
    found = choose_linear(train, valid, 3, weights)
    assert found.l2 == best.l2 not in (weights[0], weights[-1])
    np.testing.assert_allclose(found.cross_entropy, best.cross_entropy, rtol=1e-3)
    scales = np.array([1, 1e3, 1e-3, 1.0])
    scaled = [(1 + features * scales, labels) for features, labels in (train, valid)]
    again = choose_linear(*scaled, 3, weights)
    np.testing.assert_allclose(again.kernel * scales[:, None], found.kernel, rtol=1e-2, atol=1e-3)


def test_the_network_is_chosen_on_validation_texts_and_a_run_is_done_in_no_time(reviews, tmp_path):
    more = ("--config.model.network=None", "--config.num_steps=6", "--config.data.max_tokens=None",
            "--config.data.bucket_width=None")  # fmt: skip
    arguments = helpers.sentiment_command(reviews, tmp_path, *more)
    said = helpers.printed(arguments)
    for network in ("lstm", "mean"):
        assert f"network {network}: validation cross-entropy 0." in said
    assert "chosen on validation texts" in said
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["network"] == json.loads((tmp_path / "choice.json").read_text())["network"]
    assert summary["network"] == "mean"  # six steps are few for an LSTM
    assert summary["embedding"] == "vectors.npy, frozen, mean"
    assert summary["test_accuracy"] > 0.7
    again = helpers.printed(arguments)
    assert "network lstm" not in again
    assert (
        train.sentiment.main(["train/sentiment.py", "--mode=evaluate", f"--workdir={tmp_path}"])
        == 0
    )
    assert json.loads((tmp_path / "summary.json").read_text()) == summary


def corpus_of(*texts):
    labels = np.arange(len(texts)) % 2
    splits = {"train": list(texts), "test": ["z " * 3000]}
    return number_corpus(LabelledText(splits, {"train": labels, "test": labels[:1]}, ("x", "y")))


@pytest.mark.parametrize(("network", "cut", "width"), [("lstm", 900, 100), ("mean", 3000, 300)])
def test_where_texts_are_cut_follows_from_them(network, cut, width):
    corpus = corpus_of(*("a " * (300 + 100 * (i % 7)) for i in range(40)))
    config = classifier.Config(
        model=classifier.ModelConfig(network=network),
        data=classifier.DataConfig(max_tokens=None, bucket_width=None),
    )
    data = settle(corpus, config).data
    assert (data.max_tokens, data.bucket_width) == (cut, width)
    long = corpus_of(*("a " * 5000 for _ in range(4)))
    assert settle(long, config).data.max_tokens == (1000 if network == "lstm" else 5000)


def test_words_that_are_there_once_stand_for_the_unknown_one_half_of_the_time():
    corpus = corpus_of(*(f"often once{i}" for i in range(32)))
    config = classifier.Config(embedding="dense", batch_size=16)
    job = prepare(corpus, None, config).job
    words = prepare(corpus, None, config).table.words
    seen = [np.asarray(job.feed.gather(job.data, job.feed.index(s))["tokens"]) for s in range(20)]
    first = [np.sort(ids[:, 1]) for ids in seen]
    assert {words[i] for ids in seen for i in ids[:, 0]} == {"often"}
    unknown = np.mean([ids[:, 1] == len(words) for ids in seen])
    assert 0.35 < unknown < 0.65
    assert (first[0] != first[1]).any()
    valid = job.evaluations["valid"]
    assert (np.asarray(valid.gather(job.data, valid.index(0))["tokens"])[:, :2] < len(words)).all()
    never = classifier.Config(embedding="dense", batch_size=16,
                              model=classifier.ModelConfig(learn_unknown=False))  # fmt: skip
    job = prepare(corpus, None, never).job
    assert (np.asarray(job.feed.gather(job.data, job.feed.index(0))["tokens"])[:, :2] < 33).all()


def test_no_other_word_is_left_out():
    table = dense_table(["a", "b"], 3)
    data = {
        "tokens": jnp.array([0, 1, 2]),
        "table": (),
        "seen_once": jnp.array([True, False, False]),
    }
    index = {"positions": jnp.tile(jnp.arange(3), (64, 1)), "draw": jnp.full(64, 5)}
    ids = np.asarray(jax.jit(make_gather(table))(data, index)["tokens"])
    assert set(ids[:, 0]) == {0, 2}
    assert (ids[:, 1:] == [1, 2]).all()


def test_the_best_network_and_rate_are_taken_as_far_as_they_get_better(monkeypatch):
    errors = {("lstm", 3e-3): 0.5, ("lstm", 1e-2): 0.6, ("mean", 3e-2): 0.4, ("mean", 1e-2): 0.7,
              ("mean", 0.1): 0.3}  # fmt: skip

    def figures(corpus, source, config):
        key = config.model.network, config.optimizer.table_rate
        tried.append(key)
        return {"cross_entropy": errors.get(key, 0.9), "accuracy": 0.5}

    monkeypatch.setattr(choose, "_valid_figures", figures)
    tried, said = [], []
    config = classifier.Config(embedding="dense", model=classifier.ModelConfig(network=None))
    choice = choose.choose(None, None, config, said.append)
    assert choice == {"network": "mean", "table_rate": 0.1}
    assert len(said) == len(tried) == len(set(tried)) == 9
    assert ("mean", 0.3) in tried
    assert ("lstm", 0.1) not in tried
    chosen = choose.with_choice(config, choice)
    assert (chosen.model.network, chosen.optimizer.table_rate) == ("mean", 0.1)
    assert not choose.is_open(chosen)
