import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcompress import InputError, classifier
from jaxcompress.classifier.task import make_optimizer, make_task
from jaxcompress.codes.artefact import Codes
from jaxcompress.tables.anchors import anchor_table
from jaxcompress.tables.codes import frozen_codes, trained_codebooks
from jaxcompress.tables.dense import dense_table, frozen_vectors

WORDS = [f"w{i}" for i in range(6)]
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(6, 5)).astype(np.float32)
CODES = Codes(
    RNG.integers(0, 3, (6, 2)), RNG.normal(size=(2, 3, 5)).astype(np.float32), words=WORDS
)
IDS = jnp.array([[0, 3, 5, 1], [2, 6, 6, 6]])  # 6 is the unknown word's
TABLES = {
    "frozen vectors": frozen_vectors(WORDS, ROWS),
    "frozen codes": frozen_codes(CODES),
    "trained codebooks": trained_codebooks(CODES),
    "ant": anchor_table(WORDS, 3, 5),
    "dense": dense_table(WORDS, 5),
}


def read(table, params, ids=IDS):
    data = jax.tree.map(jnp.asarray, table.data)
    return table.embedding.apply(params, table.read(data, ids))


def make_batch(table, ids, lengths):
    data = jax.tree.map(jnp.asarray, table.data)
    return {
        "tokens": table.read(data, jnp.asarray(ids)),
        "lengths": jnp.asarray(lengths),
        "labels": jnp.zeros(len(lengths), int),
        "mask": jnp.ones(len(lengths), bool),
    }


def small_task(table, **model):
    config = classifier.ModelConfig(hidden_size=4, **model)
    return make_task(config, 3, table.embedding, table.dim)


EVERY = jnp.arange(7)[None]  # the unknown word too


def products_along_axes(rows):
    """Products of rows that were scaled to a variance near 1 along their principal axes: these do
    not depend on the axes' signs."""
    centred = rows - rows.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    variances = values**2 / len(rows)
    turned = left * values / np.sqrt(variances + 0.1 * variances.mean())
    return turned @ turned.T


def test_frozen_tables_are_read_along_their_axes_and_unknown_words_are_zeros():
    for name, rows in (("frozen vectors", ROWS), ("frozen codes", CODES.decode())):
        table = TABLES[name]
        assert table.embedding.init(jax.random.key(0)) == {}
        found = np.asarray(read(table, {}, EVERY))[0]
        np.testing.assert_allclose(
            found[:6] @ found[:6].T, products_along_axes(rows), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_array_equal(found[6], 0)
        np.testing.assert_allclose(np.asarray(read(table, {}))[0, 1], found[3], rtol=1e-6)
    alike = np.ones((6, 5), np.float32)
    assert np.abs(read(frozen_vectors(WORDS, alike), {}, EVERY)).max() < 1e-2


def test_trained_codebooks_start_as_those_of_the_codes_and_alone_are_trained():
    table = TABLES["trained codebooks"]
    params = table.embedding.init(jax.random.key(0))
    assert list(params) == ["codebooks"]
    start = np.asarray(read(table, params, EVERY))[0]
    np.testing.assert_allclose(start, read(TABLES["frozen codes"], {}, EVERY)[0], rtol=1e-5)
    gradient = jax.grad(lambda p: read(table, p).sum())(params)["codebooks"]
    used = np.zeros((2, 3))
    for word in (0, 3, 5, 1, 2):
        for m in range(2):
            used[m, CODES.codes[word, m]] += 1
    np.testing.assert_allclose(gradient, used[..., None] * np.ones(5), rtol=1e-5)
    # What was learned is stored as codebooks of the table that was given: as if trained there.
    moved = {"codebooks": 2 * params["codebooks"][:, [1, 2, 0]]}
    artefact = table.artefact(jax.device_get(moved))
    np.testing.assert_array_equal(artefact.codes, CODES.codes)
    mean = CODES.decode().mean(axis=0)
    expected = 2 * CODES.codebooks[:, [1, 2, 0]]
    expected[0] -= mean  # the middle of what is read, 0, stays the mean
    np.testing.assert_allclose(artefact.codebooks, expected, rtol=1e-5, atol=1e-5)
    assert artefact.num_bytes() == CODES.num_bytes()


def test_learned_tables_have_a_row_for_unknown_words():
    for name in ("ant", "dense"):
        table = TABLES[name]
        params = table.embedding.init(jax.random.key(0))
        rows = np.asarray(read(table, params))
        assert rows.shape == (2, 4, 5)
        assert (rows[1, 1] != 0).any()
        np.testing.assert_array_equal(rows[1, 1], rows[1, 2])
    params = jax.device_get(TABLES["ant"].embedding.init(jax.random.key(0)))
    params["transform"] = np.where(np.arange(7)[:, None] == 2, 0.0, params["transform"])
    artefact = TABLES["ant"].artefact(params)
    np.testing.assert_allclose(artefact.to_csr().toarray(), params["transform"], rtol=1e-6)
    assert artefact.names[-1] == "<unk>"


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
    vectors = np.asarray(read(table, {}, EVERY))[0]
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding": "sparse"}, "embedding is 'sparse'; it must be one of frozen, finetune_co"),
        ({"model": classifier.ModelConfig(pooling="max")}, "model.pooling is 'max'; it must be"),
        (
            {"model": classifier.ModelConfig(dropout=1.0)},
            r"model.dropout is 1.0; it must be in \[0",
        ),
        (
            {"data": classifier.DataConfig(keep="middle")},
            "data.keep is 'middle'; it must be one of",
        ),
        (
            {"data": classifier.DataConfig(max_tokens=0)},
            "data.max_tokens is 0; it must be at least",
        ),
        ({"steps_per_dispatch": 4}, "steps_per_dispatch is 4; it must be from 1 to 1"),
        ({"num_seeds": 0}, "num_seeds is 0; it must be at least 1"),
    ],
)
def test_a_config_that_is_not_possible_is_one_line(change, message):
    with pytest.raises(InputError, match=message) as caught:
        classifier.Config(**change).check()
    assert "\n" not in str(caught.value)
