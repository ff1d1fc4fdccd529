import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_tables import EVERY, TABLES, embed, gather

from jaxcompress import classifier
from jaxcompress.classifier.task import make_optimizer, make_task

RNG = np.random.default_rng(0)


def make_batch(table, ids, lengths):
    return {
        "tokens": gather(table, ids),
        "lengths": jnp.asarray(lengths),
        "labels": jnp.zeros(len(lengths), int),
        "mask": jnp.ones(len(lengths), bool),
    }


def small_task(table, **model):
    config = classifier.ModelConfig(hidden_size=4, **model)
    return make_task(config, 3, table.embedding, table.dim)


@pytest.mark.parametrize(
    ("name", "pooling"), [("frozen vectors", "last"), *((name, "mean") for name in TABLES)]
)
def test_padding_changes_no_result(name, pooling):
    """The logits of a text alone are those it has in a padded batch, whatever the padding is."""
    table = TABLES[name]
    task = small_task(table, pooling=pooling)
    params, aux = task.init(jax.random.key(1))
    sums, evaluate = [], jax.jit(task.evaluate)
    for ids in ([[2, 4, 1]], [[2, 4, 1, 0, 0, 0, 0]], [[2, 4, 1, 5, 6, 3, 2]]):
        _, found = evaluate(params, aux, (), make_batch(table, ids, [3]))
        sums.append(float(found["cross_entropy"]))
    np.testing.assert_allclose(sums, sums[0], rtol=1e-6)
    both = make_batch(table, [[2, 4, 1, 0, 0], [1, 2, 3, 4, 5]], [3, 5])
    both["mask"] = jnp.array([True, False])
    _, found = evaluate(params, aux, (), both)
    np.testing.assert_allclose(found["cross_entropy"], sums[0], rtol=1e-6)
    assert found["count"] == 1


@pytest.mark.parametrize("pooling", classifier.POOLINGS)
def test_the_classifier_agrees_with_a_loop_in_numpy(pooling):
    table = TABLES["frozen vectors"]
    task = small_task(table, pooling=pooling)
    params, aux = task.init(jax.random.key(2))
    ids, lengths, labels = [[0, 3, 5, 1], [2, 4, 0, 0]], [4, 2], [2, 0]
    batch = make_batch(table, ids, lengths) | {"labels": jnp.array(labels)}
    p = jax.device_get(params)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    vectors = np.asarray(embed(table, {}, EVERY))[0]
    expected = []
    for text, length, label in zip(ids, lengths, labels, strict=True):
        h, c, outputs = np.zeros(4), np.zeros(4), []
        for token in text[:length]:
            gates = vectors[token] @ p["lstm_inputs"] + h @ p["lstm_outputs"] + p["lstm_bias"]
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        pooled = h if pooling == "last" else np.mean(outputs, axis=0)
        logits = pooled @ p["classifier"]["kernel"] + p["classifier"]["bias"]
        expected.append(np.log(np.exp(logits).sum()) - logits[label])
    _, found = task.evaluate(params, aux, (), batch)
    np.testing.assert_allclose(found["cross_entropy"], np.sum(expected), rtol=1e-5)
    config = small_task(table, pooling=pooling, dropout=0.0)
    value, _ = config.loss(params, aux, (), batch, jnp.int32(0), jax.random.key(0))
    np.testing.assert_allclose(value, np.mean(expected), rtol=1e-5)


def test_the_simplest_network_is_linear_in_the_mean_of_a_texts_vectors():
    table = TABLES["frozen vectors"]
    task = small_task(table, network="mean")
    params, aux = task.init(jax.random.key(2))
    assert set(params) == {"classifier", "embedding"}
    ids, lengths, labels = [[0, 3, 5, 1], [2, 4, 0, 0]], [4, 2], [2, 0]
    vectors, p = np.asarray(embed(table, {}, EVERY))[0], jax.device_get(params)["classifier"]
    means = [vectors[row[:length]].mean(axis=0) for row, length in zip(ids, lengths, strict=True)]
    logits = np.stack(means) @ p["kernel"] + p["bias"]
    expected = np.log(np.exp(logits).sum(axis=1)) - logits[[0, 1], labels]
    batch = make_batch(table, ids, lengths) | {"labels": jnp.array(labels)}
    _, found = task.evaluate(params, aux, (), batch)
    np.testing.assert_allclose(found["cross_entropy"], expected.sum(), rtol=1e-5)


@pytest.mark.parametrize("name", ["dense", "ant"])
def test_a_table_may_have_a_rate_of_its_own(name):
    table = TABLES[name]
    params, _ = small_task(table, network="mean").init(jax.random.key(5))
    rates = {"learning_rate": 0.01, "table_rate": 0.1, "penalty": 0.0, "clip_norm": None}
    tx = make_optimizer(classifier.OptimizerConfig(**rates), 1000, table.embedding)
    updates, _ = tx.update(
        jax.tree.map(lambda p: -jnp.ones_like(p), params), tx.init(params), params
    )
    for rate, some in ((0.1, updates["embedding"]), (0.01, updates["classifier"])):
        for update in jax.tree.leaves(some):
            np.testing.assert_allclose(update, rate, rtol=0.05)


@pytest.mark.parametrize("name", ["frozen vectors", "trained codebooks", "ant"])
def test_gradients_are_those_of_small_differences(name):
    table = TABLES[name]
    task = small_task(table, pooling="mean", dropout=0.25)
    params, aux = task.init(jax.random.key(3))
    batch = make_batch(table, [[0, 3, 5, 1], [2, 6, 0, 0]], [4, 2]) | {"labels": jnp.array([2, 0])}
    loss = jax.jit(lambda p: task.loss(p, aux, (), batch, jnp.int32(0), jax.random.key(0))[0])
    gradient = jax.grad(loss)(params)
    direction = jax.tree.map(lambda p: jnp.asarray(RNG.normal(size=p.shape), jnp.float32), params)
    expected = sum(jax.tree.leaves(jax.tree.map(lambda g, d: (g * d).sum(), gradient, direction)))
    step = 1e-2
    ahead, behind = (
        loss(jax.tree.map(lambda p, d, s=s: p + s * step * d, params, direction)) for s in (1, -1)
    )
    np.testing.assert_allclose((ahead - behind) / (2 * step), expected, rtol=2e-2, atol=2e-3)


def test_dropout_is_one_mask_for_a_text_and_is_off_in_evaluation():
    table = TABLES["frozen vectors"]
    task = small_task(table, dropout=0.5)
    params, aux = task.init(jax.random.key(4))
    batch = make_batch(table, [[0, 3, 5, 1]], [4])
    losses = {
        float(task.loss(params, aux, (), batch, jnp.int32(0), jax.random.key(k))[0])
        for k in range(8)
    }
    assert len(losses) > 4
    without = small_task(table, dropout=0.0)
    value, _ = without.loss(params, aux, (), batch, jnp.int32(0), jax.random.key(0))
    _, found = task.evaluate(params, aux, (), batch)
    np.testing.assert_allclose(found["cross_entropy"], value, rtol=1e-6)


def test_the_transform_of_anchors_gets_sparse_and_stays_at_least_0():
    table = TABLES["ant"]
    task = small_task(table)
    params, aux = task.init(jax.random.key(5))
    config = classifier.OptimizerConfig(learning_rate=0.05, penalty=0.05)
    tx = make_optimizer(config, 60, table.embedding)
    state = tx.init(params)
    batch = make_batch(table, [[0, 3, 5, 1], [2, 4, 0, 0]], [4, 2]) | {"labels": jnp.array([2, 0])}

    @jax.jit
    def step(params, state, key):
        gradient = jax.grad(lambda p: task.loss(p, aux, (), batch, 0, key)[0])(params)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    for i in range(60):
        params, state = step(params, state, jax.random.key(i))
    transform = np.asarray(params["embedding"]["transform"])
    assert (transform >= 0).all()
    assert 0.2 < (transform == 0).mean() < 1
    assert (np.asarray(params["lstm_inputs"]) != 0).all()


def test_rows_of_anchors_with_small_gradients_move_as_fast_as_others():
    table = TABLES["ant"]
    params, _ = small_task(table).init(jax.random.key(5))
    config = classifier.OptimizerConfig(learning_rate=0.01, penalty=0.0, clip_norm=None)
    tx = make_optimizer(config, 1000, table.embedding)
    gradient = jax.tree.map(jnp.zeros_like, params)
    transform = params["embedding"]["transform"]
    gradient["embedding"]["transform"] = jnp.full_like(transform, -1.0).at[::2].set(-1e-3)
    updates, _ = tx.update(gradient, tx.init(params), params)
    np.testing.assert_allclose(updates["embedding"]["transform"], 0.01, rtol=0.05)
