import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.subspaces import subspace_distance, train_tables
from jaxcompress import InputError, tying
from jaxcompress.tying.generate import draw_words
from jaxcompress.tying.model import dropout_masks, zero_carry
from jaxcompress.tying.predict import next_word
from jaxcompress.tying.task import make_optimizer, make_task
from jaxcompress.tying.teacher import make_teacher, sharpness

V, B, T = 12, 3, 4
SMALL = tying.ModelConfig(hidden_size=8, dropout=0.0)


def batch(seed=0):
    rng = np.random.default_rng(seed)
    stream = rng.integers(0, V, (B, T + 1))
    return {
        "inputs": jnp.asarray(stream[:, :-1]),
        "targets": jnp.asarray(stream[:, 1:]),
        "mask": jnp.ones((B, T), bool),
        "first": jnp.zeros(B, bool),
    }


def start(config, steps_per_epoch=10):
    task = make_task(config, V, steps_per_epoch)
    params, _ = task.init(jax.random.key(0))
    return task, params, task.init_carry(B)


def loss(task, params, carry, step=0, seed=0):
    return task.loss(params, {}, carry, batch(seed), jnp.int32(step), jax.random.key(1))


@pytest.mark.parametrize(
    ("variant", "extra"), [("baseline", V * 8 + V), ("al", V * 8 + V), ("re", 0), ("real", 0)]
)
def test_parameters_are_counted(variant, extra):
    _, params, _ = start(tying.with_variant(SMALL, variant))
    count = sum(x.size for x in jax.tree.leaves(params))
    assert count == V * 8 + 2 * (2 * 8 * 32 + 32) + extra
    assert ("classifier" in params) == ("bias" in params) == bool(extra)


def test_with_re_the_table_gets_the_gradients_of_both_sides():
    """The gradient is the sum of those of an untied model with the same tables and no bias."""
    task, params, carry = start(tying.with_variant(SMALL, "re"))
    untied, more, _ = start(SMALL)
    split = {**params, "classifier": params["embedding"], "bias": jnp.zeros_like(more["bias"])}
    tied = jax.grad(lambda p: loss(task, p, carry)[0])(params)["embedding"]
    both = jax.grad(lambda p: loss(untied, p, carry)[0])(split)
    assert jnp.abs(both["embedding"]).max() > 0
    np.testing.assert_allclose(tied, both["embedding"] + both["classifier"], rtol=1e-5, atol=1e-6)


def test_the_loss_is_the_mean_over_lanes_of_the_sum_over_time():
    task, params, carry = start(SMALL)
    value, (_, metrics) = loss(task, params, carry)
    _, sums = task.evaluate(params, {}, carry, batch())
    np.testing.assert_allclose(value, sums["nll"] / B, rtol=1e-6)
    np.testing.assert_allclose(metrics["perplexity"], np.exp(sums["nll"] / (B * T)), rtol=1e-6)
    assert sums["count"] == B * T


def test_the_carry_goes_on_and_is_zero_where_a_lane_begins():
    task, params, carry = start(SMALL)
    _, (after, _) = loss(task, params, carry)
    assert jnp.abs(after[0].output).max() > 0
    begin = {**batch(), "first": jnp.array([True, False, True])}
    _, (mixed, _) = task.loss(params, {}, after, begin, jnp.int32(0), jax.random.key(0))
    _, (fresh, _) = loss(task, params, carry)
    _, (gone_on, _) = loss(task, params, after)
    np.testing.assert_array_equal(mixed[1].output[0], fresh[1].output[0])
    np.testing.assert_array_equal(mixed[1].output[1], gone_on[1].output[1])
    assert not np.allclose(fresh[1].output[1], gone_on[1].output[1])


def test_no_gradient_flows_into_the_sequence_before():
    task, params, carry = start(SMALL)

    def two_sequences(params):
        _, (after, _) = loss(task, params, carry)
        return sum(jnp.vdot(x, x) for x in jax.tree.leaves(after))

    assert all((g == 0).all() for g in jax.tree.leaves(jax.grad(two_sequences)(params)))


def test_masks_are_of_mean_one_one_for_a_sequence_and_new_for_each_key():
    config = tying.ModelConfig(hidden_size=500, dropout=0.3)
    masks = dropout_masks(jax.random.key(0), config, 20)
    assert masks.shape == (2, 20, 500)
    np.testing.assert_allclose(np.unique(masks), [0.0, 1 / 0.7], rtol=1e-6)
    np.testing.assert_allclose(masks.mean(), 1.0, atol=0.02)
    assert (masks[0] != masks[1]).any()
    assert (masks != dropout_masks(jax.random.key(1), config, 20)).any()


def test_evaluation_drops_nothing():
    task, params, carry = start(dataclasses.replace(SMALL, dropout=0.9))
    plain, _, _ = start(SMALL)
    np.testing.assert_array_equal(
        task.evaluate(params, {}, carry, batch())[1]["nll"],
        plain.evaluate(params, {}, carry, batch())[1]["nll"],
    )


def test_the_learning_rate_falls_after_the_full_epochs():
    config = tying.OptimizerConfig(learning_rate=2.0, full_epochs=3, decay=0.5, clip_norm=None)
    tx = make_optimizer(config, steps_per_epoch=2)
    state, rates = tx.init(jnp.ones(())), []
    for _ in range(10):
        update, state = tx.update(jnp.ones(()), state)
        rates.append(-float(update))
    assert rates == [2, 2, 2, 2, 2, 2, 1, 1, 0.5, 0.5]


def test_the_gradient_norm_is_bounded():
    tx = make_optimizer(tying.OptimizerConfig(clip_norm=5.0), 10)
    update, _ = tx.update(jnp.full(4, 50.0), tx.init(jnp.ones(4)))
    np.testing.assert_allclose(update, np.full(4, -2.5), rtol=1e-6)


def test_the_temperature_is_raised_during_training():
    rising = tying.with_variant(
        dataclasses.replace(
            SMALL, temperature=8.0, initial_temperature=2.0, temperature_epochs=2.0
        ),
        "real",
    )
    task, params, carry = start(rising, steps_per_epoch=10)
    for step, tau in ((0, 2.0), (10, 4.0), (20, 8.0), (90, 8.0)):
        fixed, _, _ = start(dataclasses.replace(rising, temperature=tau, initial_temperature=None))
        np.testing.assert_allclose(
            loss(task, params, carry, step)[0], loss(fixed, params, carry)[0], rtol=1e-6
        )


def test_a_frozen_embedding_gets_no_gradient_until_its_epochs_are_over():
    task, params, carry = start(
        dataclasses.replace(tying.with_variant(SMALL, "real"), frozen_epochs=2), steps_per_epoch=10
    )
    free, _, _ = start(tying.with_variant(SMALL, "real"))
    for step in (0, 19, 20):
        gradient = jax.grad(lambda p, s=step: loss(task, p, carry, s)[0])(params)
        expected = jax.grad(lambda p: loss(free, p, carry)[0])(params)
        if step < 20:
            assert (gradient["embedding"] == 0).all()
        else:
            np.testing.assert_allclose(gradient["embedding"], expected["embedding"], rtol=1e-6)
        np.testing.assert_allclose(gradient["lstm_0_inputs"], expected["lstm_0_inputs"], rtol=1e-6)


def test_the_teacher_passes_gradients_only_if_asked():
    plain = tying.with_variant(SMALL, "al")
    task, params, carry = start(plain)
    taught, _, _ = start(dataclasses.replace(plain, teacher_gradient=True))
    without = jax.grad(lambda p: loss(task, p, carry)[0])(params)
    with_it = jax.grad(lambda p: loss(taught, p, carry)[0])(params)
    assert not np.allclose(without["embedding"], with_it["embedding"])
    np.testing.assert_allclose(without["classifier"], with_it["classifier"], rtol=1e-6)


def test_the_temperature_is_raised_where_rows_are_too_long_for_it():
    """A row of 8 fours has |L|^2 = 128, where tau ln V = 20 ln 12 = 49.7."""
    free = dataclasses.replace(SMALL, max_sharpness=None)
    long, short = jnp.full((V, 8), 0.1).at[3].set(4.0), jnp.full((V, 8), 0.1)
    np.testing.assert_allclose(sharpness(long, 20.0), 128 / (20 * np.log(12)), rtol=1e-6)
    for config, rows, tau in (
        (SMALL, long, 256 / np.log(12)), (SMALL, short, 20.0), (free, long, 20.0)
    ):  # fmt: skip
        teacher = make_teacher(tying.with_variant(config, "real"), rows, jnp.float32(20))
        np.testing.assert_allclose(teacher.temperature, tau, rtol=1e-6)
        np.testing.assert_allclose(teacher.weight, 0.65 * tau, rtol=1e-6)
        assert teacher.embedding is None  # it is the classifier
    teacher = make_teacher(tying.with_variant(SMALL, "al"), long, jnp.float32(20))
    np.testing.assert_array_equal(teacher.embedding, long)


def test_a_run_logs_how_sharp_its_teacher_is_and_says_if_it_is_not_bounded():
    real = tying.with_variant(SMALL, "real")
    for config, is_told in ((real, False), (dataclasses.replace(real, max_sharpness=None), True)):
        task, params, carry = start(config)
        params["embedding"] = params["embedding"].at[3].set(2.0)
        _, (_, metrics) = loss(task, params, carry)
        np.testing.assert_allclose(metrics["sharpness"], 32 / (20 * np.log(12)), rtol=1e-6)
        assert (task.remark(metrics) is not None) == is_told
    _, params, carry = start(SMALL)
    plain, _, _ = start(SMALL)
    _, (_, metrics) = loss(plain, params, carry)
    assert "sharpness" not in metrics
    assert plain.remark(metrics) is None


def test_first_values_of_the_embedding_can_be_given():
    given, known = np.full((V, 8), 7.0, np.float32), np.arange(V) < 3
    task = make_task(SMALL, V, 10, given, known)
    params, _ = task.init(jax.random.key(0))
    assert (params["embedding"][:3] == 7).all()
    assert (jnp.abs(params["embedding"][3:]) <= 0.1).all()


def test_the_next_word_and_a_generated_text_follow_the_whole_text():
    _, params, carry = start(SMALL)
    words = batch()["inputs"][0]
    one = zero_carry(SMALL, 1)
    _, logits = next_word(params, SMALL, one, words)
    carry, _ = next_word(params, SMALL, one, words[:2])
    _, in_two = next_word(params, SMALL, carry, words[2:])
    np.testing.assert_allclose(in_two, logits, rtol=1e-5, atol=1e-6)
    cold = draw_words(jax.random.key(0), params, SMALL, words, 5, temperature=1e-6)
    assert cold[0] == jnp.argmax(logits)
    _, after = next_word(params, SMALL, one, jnp.append(words, cold[0]))
    assert cold[1] == jnp.argmax(after)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dropout": 1.0}, r"model.dropout is 1.0; it must be in \[0, 1\)."),
        ({"temperature": 0.0}, "model.temperature is 0.0; it must be above 0."),
        ({"hidden_size": 0}, "model.hidden_size is 0; it must be at least 1."),
    ],
)
def test_an_invalid_config_is_reported(change, message):
    with pytest.raises(InputError, match=message):
        tying.Config(model=dataclasses.replace(SMALL, **change)).check()


@pytest.mark.slow
def test_with_the_augmented_loss_the_classifier_comes_to_span_what_the_embedding_spans(real_data):
    """Section 6.2: 20,000 tokens of Penn Treebank, 300 units, no regularisation, unit rows."""
    distances = {}
    for beta in (0.0, 1.0):
        tables = train_tables(str(real_data / "ptb"), beta, num_steps=200)
        distances[beta] = subspace_distance(*tables, cut=0.02)
        print(f"beta {beta}: {distances[beta]:.3f}, of all {subspace_distance(*tables, cut=0):.3f}")
    assert distances[0.0] > 0.85
    assert distances[1.0] < 0.15
