import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress import Codes, InputError, SparseAnchors, tying
from jaxcompress.data.text.corpus import Corpus
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import init_state
from jaxcompress.tying.evaluate import (
    codes_figures,
    hidden_second_moment,
    split_perplexity,
    summarize,
)
from jaxcompress.tying.model import make_model, no_masks, zero_carry
from jaxcompress.tying.prepare import prepare, read_embedding

WORDS = ["<eos>", "<unk>", "anna", "sees", "bob"]
V, D = len(WORDS), 4
SPLITS = {"train": np.array([2, 3, 4, 0] * 6, np.int32), "valid": np.array([4, 3, 2, 0], np.int32),
          "test": np.array([2, 3, 2, 0, 4, 3, 4, 0, 1], np.int32)}  # fmt: skip


@pytest.fixture(scope="module")
def tied():
    return make("re")


@pytest.fixture(scope="module")
def untied():
    return make("baseline")


def make(variant):
    """A problem of a few tokens, and the state of its step 0."""
    model = tying.ModelConfig(hidden_size=D, num_layers=1, init_scale=1.0)
    config = tying.Config(
        batch_size=2, unroll=3, eval_lanes=2, model=tying.with_variant(model, variant)
    )
    problem = prepare(Corpus(WORDS, SPLITS, source="folder/text"), config)
    return problem, init_state(problem.job)


def zeros(state, **params):
    """The state with all parameters zero, but for those given."""
    params = {name: jnp.asarray(value, jnp.float32) for name, value in params.items()}
    return state.replace(params={**jax.tree.map(jnp.zeros_like, state.params), **params})


def make_codes(rows, words):
    """Codes that hold rows exactly: each row is a codeword."""
    return Codes(np.arange(len(rows))[:, None], np.asarray(rows)[None], words)


def test_a_model_that_knows_nothing_is_as_perplexed_as_there_are_words(tied):
    problem, state = tied
    for split in SPLITS:
        np.testing.assert_allclose(split_perplexity(problem, zeros(state), split), V, rtol=1e-6)


def test_a_model_of_word_frequencies_has_the_perplexity_of_their_cross_entropy(untied):
    problem, state = untied
    p = np.array([4, 1, 2, 2, 1]) / 10
    found = split_perplexity(problem, zeros(state, bias=np.log(p)), "test")
    # <eos> twice, <unk> once, anna, sees and bob twice each
    product = 0.4**2 * 0.1 * 0.2**2 * 0.2**2 * 0.1**2
    np.testing.assert_allclose(found, product ** (-1 / 9), rtol=1e-6)


def test_the_summary_counts_words_tokens_parameters_epochs_and_speed(untied):
    problem, state = untied
    fitted = Fitted(zeros(state).replace(step=jnp.int32(6)), train_seconds=2.0, step=8)
    summary = summarize(problem, fitted)
    assert summary["dataset"] == "text"
    assert summary["variant"] == "VD-LSTM 4"
    assert [summary[f"{split}_tokens"] for split in SPLITS] == [24, 4, 9]
    assert summary["num_parameters"] == V * D + (2 * D * 4 * D + 4 * D) + V * D + V
    np.testing.assert_allclose(summary["test_perplexity"], V, rtol=1e-6)
    assert problem.steps_per_epoch == 24 // (2 * 3)
    assert summary["best_epoch"] == 6 / 4
    assert summary["num_epochs"] == 8 / 4
    assert summary["tokens_per_second"] == 8 * 2 * 3 / 2.0


@pytest.mark.parametrize("variant", ["tied", "untied"])
def test_the_second_moment_is_that_of_the_hidden_states_of_the_training_tokens(variant, request):
    """An independent reckoning: each lane as one sequence, its state from zero."""
    problem, state = request.getfixturevalue(variant)
    config = dataclasses.replace(problem.config.model, dropout=0.0)
    tokens = np.concatenate([[0], SPLITS["train"]])  # an end of line stands before the split
    hidden = []
    for lane in (tokens[:12], tokens[12:24]):  # batch_size is 2
        predicted = make_model(config, V).apply(
            {"params": state.params}, lane[None], zero_carry(config, 1), no_masks(config, 1)
        )
        hidden.append(np.asarray(predicted.hidden[0], np.float64))
    hidden = np.concatenate(hidden)
    found = hidden_second_moment(problem, state)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, hidden.T @ hidden / 24, rtol=1e-5, atol=1e-8)
    assert np.abs(found).max() > 1e-3


def test_the_second_moment_is_the_mean_square_of_the_change_of_a_logit(tied):
    """Only what counts is counted: 24 tokens in 5 lanes, each of 5 places, fill 24 of 25."""
    problem, state = tied
    config = dataclasses.replace(problem.config, batch_size=5)
    moment = hidden_second_moment(problem._replace(config=config), state)
    error, model = np.array([0.3, -0.1, 0.2, 0.5]), config.model
    tokens, changes = np.concatenate([[0], SPLITS["train"]]), []
    for start in range(0, 25, 5):
        lane = tokens[start : min(start + 5, 24)]
        predicted = make_model(model, V).apply(
            {"params": state.params}, lane[None], zero_carry(model, 1), no_masks(model, 1)
        )
        changes.append(np.asarray(predicted.hidden[0]) @ error)
    changes = np.concatenate(changes)
    assert len(changes) == 24
    np.testing.assert_allclose(error @ moment @ error, np.square(changes).mean(), rtol=1e-5)


@pytest.mark.parametrize("variant", ["tied", "untied"])
def test_codes_that_lose_nothing_change_nothing(variant, request):
    problem, state = request.getfixturevalue(variant)
    order = [3, 0, 4, 2, 1]
    rows = np.asarray(state.params["embedding"])[order]
    codes = make_codes(rows, [WORDS[i] for i in order])
    figures = codes_figures(problem, state, codes)
    for split in ("valid", "test"):
        own = split_perplexity(problem, state, split)
        assert figures[f"{split}_perplexity"] == own
        assert figures[f"compressed_{split}_perplexity"] == own
    assert figures["embedding_bytes"] == 4 * V * D
    assert figures["compressed_bytes"] == V + 4 * V * D  # a byte a row, and V codewords
    both = {"tied": "embedding and classifier", "untied": "embedding"}
    assert figures["compressed"] == both[variant]


def test_anchors_take_the_place_of_an_embedding_and_start_one(tied, tmp_path):
    """As a table or by its path: a product that is the embedding, so nothing changes."""
    problem, state = tied
    rows = np.asarray(state.params["embedding"])
    anchors = SparseAnchors.from_csr(np.eye(V)[::-1], rows[::-1], words=WORDS)
    file = tmp_path / "a.safetensors"
    anchors.save(file)
    for given in (anchors, file):
        figures = codes_figures(problem, state, given)
        assert figures["compressed_test_perplexity"] == figures["test_perplexity"]
        assert figures["compressed_bytes"] == V + V + 4 * V + 4 * V * D
    data = dataclasses.replace(problem.config.data, vectors=str(file))
    found, known = read_embedding(dataclasses.replace(problem.config, data=data), WORDS)
    np.testing.assert_array_equal(found, rows)
    assert known.all()
    other = SparseAnchors.from_csr(np.eye(2), rows[:2], words=WORDS[:2])
    with pytest.raises(InputError, match="the anchors: 3 of the model's 5 words are not in it"):
        codes_figures(problem, state, other)


def test_codes_take_the_place_of_a_tied_classifier_and_not_of_an_untied_one(tied, untied):
    nothing = make_codes(np.zeros((V, D), np.float32), WORDS)
    figures = codes_figures(*tied, nothing)
    np.testing.assert_allclose(figures["compressed_test_perplexity"], V, rtol=1e-6)
    assert figures["test_perplexity"] != figures["compressed_test_perplexity"]
    # Without inputs the LSTM's outputs are zero: what is left of the logits is the bias.
    problem, state = untied
    p = np.array([4, 1, 2, 2, 1]) / 10
    state = state.replace(params={**state.params, "bias": jnp.log(jnp.asarray(p, jnp.float32))})
    figures = codes_figures(problem, state, nothing)
    product = 0.4 * 0.2 * 0.2 * 0.1  # <eos>, anna, sees, bob
    np.testing.assert_allclose(
        figures["compressed_valid_perplexity"], product ** (-1 / 4), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("rows", "words", "message"),
    [
        ((V, 3), WORDS, "codes: 3 dimensions; the embedding has 4."),
        ((V, D), ["a", "b", *WORDS[2:]], "2 of the model's 5 words are not in it, '<eos>' among"),
    ],
)
def test_codes_that_do_not_fit_are_one_line(tied, rows, words, message):
    codes = make_codes(np.zeros(rows, np.float32), words)
    with pytest.raises(InputError, match=message) as caught:
        codes_figures(*tied, codes)
    assert "\n" not in str(caught.value)


def test_a_run_that_is_not_there_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        tying.perplexity(tmp_path / "gone")
    with pytest.raises(InputError, match="holds no run"):
        tying.evaluate_codes(tmp_path / "gone", "codes", config=tying.Config())
    with pytest.raises(InputError, match="no split 'dev'; there are train, valid, test"):
        tying.perplexity(tmp_path / "gone", "dev")
    assert not (tmp_path / "gone").exists()


def test_a_problem_holds_its_text_its_config_and_its_positions(tied):
    problem, _ = tied
    assert problem.corpus.words == WORDS
    assert problem.known is None
    assert problem.config.eval_every is None
    assert problem.job.config == dataclasses.replace(problem.config, eval_every=4)
    assert problem.job.num_steps == 40 * 4
    # an end of line stands before each split
    assert problem.splits == {"train": range(1, 25), "valid": range(26, 30), "test": range(31, 40)}
