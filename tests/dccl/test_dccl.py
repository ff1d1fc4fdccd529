import dataclasses

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

import jaxcompress
from jaxcompress import dccl
from jaxcompress.dccl import prepare
from jaxcompress.dccl.export import encode, export_codebooks
from jaxcompress.dccl.model import CodeLearner, exponential_noise
from jaxcompress.dccl.revive import revive_codewords
from jaxcompress.dccl.task import make_optimizer, make_task, row_statistics
from jaxcompress.engine.one_step import train_step
from jaxcompress.engine.own_settings import enable_x64
from jaxcompress.engine.task import TrainState
from jaxcompress.errors import InputError

GOLDEN = helpers.ROOT / "tests" / "golden" / "dccl.npz"


def golden_params(arrays, prefix="", suffix=""):
    def get(name):
        return jnp.asarray(arrays[f"{prefix}{name}{suffix}"], jnp.float32)

    return {
        "codebooks": get("codebooks"),
        "encoder": {
            layer: {"kernel": get(f"{layer}_kernel"), "bias": get(f"{layer}_bias")}
            for layer in ("hidden", "scores")
        },
    }


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_loss_gradients_and_update_are_those_of_the_equations_in_pytorch(temperature):
    arrays = np.load(GOLDEN)
    rows = jnp.asarray(arrays["rows"], jnp.float32)
    noise = jnp.asarray(np.exp(-arrays["gumbel"]), jnp.float32)
    _, num_codebooks, num_codewords = noise.shape
    model = CodeLearner(num_codebooks, num_codewords, arrays["hidden_bias"].size)

    def loss(params):
        output, _, _ = model.apply({"params": params}, rows, noise, temperature)
        return 0.5 * jnp.square(output - rows).sum(axis=-1).mean()

    params = golden_params(arrays)
    value, gradients = jax.value_and_grad(loss)(params)
    np.testing.assert_allclose(value, arrays[f"loss_{temperature}"], rtol=1e-5)
    expected = golden_params(arrays, "gradient_", f"_{temperature}")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradients, expected)

    tx = make_optimizer(
        dccl.OptimizerConfig(learning_rate=1e-2, schedule="constant", clip_norm=0.1), 10
    )
    updates, _ = tx.update(gradients, tx.init(params), params)
    expected = golden_params(arrays, "updated_", f"_{temperature}")
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
        optax.apply_updates(params, updates),
        expected,
    )


def small_task(num_rows=200, dim=6, seed=0, **model):
    rng = np.random.default_rng(seed)
    rows = (3.0 + 2.0 * rng.normal(size=(num_rows, dim))).astype(np.float32)
    model = {"final_temperature": None, **model}
    config = dccl.ModelConfig(num_codebooks=4, num_codewords=8, **model)
    statistics = row_statistics(rows, np.arange(num_rows))
    return rows, make_task(config, statistics, num_steps=10), statistics


def batch_of(rows):
    return {"rows": jnp.asarray(rows), "mask": jnp.ones(len(rows), bool)}


def test_the_task_loss_is_half_the_mean_squared_error_of_normalised_rows():
    rows, task, statistics = small_task(temperature=0.5)
    np.testing.assert_allclose(statistics.mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(statistics.scale, (rows - rows.mean(axis=0)).std(), rtol=1e-5)
    params, aux = task.init(jax.random.key(0))
    key = jax.random.key(1)
    value, (_, metrics) = task.loss(params, aux, (), batch_of(rows), jnp.int32(0), key)

    x = (rows - statistics.mean) / statistics.scale
    weights = jax.tree.map(np.asarray, params["encoder"])
    hidden = np.tanh(x @ weights["hidden"]["kernel"] + weights["hidden"]["bias"])
    scores = hidden @ weights["scores"]["kernel"] + weights["scores"]["bias"]
    alpha = np.log1p(np.exp(scores)).reshape(len(rows), 4, 8)
    gumbel = -np.log(np.asarray(exponential_noise(key, alpha.shape)))
    d = np.exp((np.log(alpha) + gumbel) / 0.5)
    d /= d.sum(axis=-1, keepdims=True)
    error = np.einsum("bmk,mkd->bd", d, np.asarray(params["codebooks"])) - x
    np.testing.assert_allclose(value, 0.5 * (error**2).sum(axis=1).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["max_probability"], d.max(axis=-1).mean(), rtol=1e-5)


def test_temperature_goes_geometrically_from_first_to_last():
    rows, falling, _ = small_task(temperature=2.0, final_temperature=0.5)
    params, aux = falling.init(jax.random.key(0))
    for step, temperature in ((0, 2.0), (5, 1.0), (10, 0.5), (20, 0.5)):
        constant = small_task(temperature=temperature)[1]
        args = (params, aux, (), batch_of(rows), jnp.int32(step), jax.random.key(1))
        np.testing.assert_allclose(falling.loss(*args)[0], constant.loss(*args)[0], rtol=1e-5)


def test_gumbel_noise_has_the_mean_and_variance_of_a_gumbel_distribution():
    noise = -np.log(np.asarray(exponential_noise(jax.random.key(0), (2_000, 10, 11))))
    assert noise.shape == (2_000, 10, 11)
    assert np.isfinite(noise).all()
    np.testing.assert_allclose(noise.mean(), np.euler_gamma, atol=0.01)
    np.testing.assert_allclose(noise.var(), np.pi**2 / 6, rtol=0.01)


def test_evaluation_is_of_hard_noiseless_codes_in_the_units_of_the_table():
    rows, task, _ = small_task(num_rows=64)
    params, aux = task.init(jax.random.key(0))
    batch = batch_of(np.concatenate([rows, 1e3 + rows[:3]]))
    batch["mask"] = batch["mask"].at[64:].set(False)
    _, sums = task.evaluate(params, aux, (), batch)
    figures = task.metrics(jax.device_get(sums))

    state = TrainState(jnp.int32(0), params, (), aux, ())
    codes = encode(state, batch_of(rows))
    codes, codebooks = np.asarray(codes), export_codebooks(params, aux)
    decoded = sum(codebooks[m, codes[:, m]] for m in range(4))
    squared = ((decoded - rows) ** 2).sum(axis=1)
    spread = ((rows - rows.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(figures["mean_squared_l2"], squared.mean(), rtol=1e-5)
    np.testing.assert_allclose(figures["mean_l2"], np.sqrt(squared).mean(), rtol=1e-5)
    np.testing.assert_allclose(figures["relative_error"], squared.sum() / spread, rtol=1e-4)
    counts = np.stack([np.bincount(codes[:, m], minlength=8) for m in range(4)])
    assert figures["dead_codewords"] == (counts == 0).sum()
    entropies = [-sum(p * np.log(p) for p in row / 64 if p > 0) for row in counts]
    np.testing.assert_allclose(figures["codebook_perplexity"], np.exp(entropies).mean(), rtol=1e-5)


def test_sums_have_the_shapes_that_make_task_states():
    _, task, _ = small_task(dim=6)
    params, aux = jax.eval_shape(task.init, jax.random.key(0))
    assert {name: value.shape for name, value in aux.items()} == {
        "mean": (6,), "scale": (), "center": (6,)
    }  # fmt: skip
    batch = {"rows": jnp.zeros((5, 6)), "mask": jnp.ones(5, bool)}
    scalars = {"count", "l2", "squared_l2", "squared_distance", "soft_l2", "max_probability"}
    expected = {**dict.fromkeys(scalars, ()), "offset": (6,), "usage": (4, 8)}
    for more in ({}, {"weights": jnp.ones(5)}):
        _, sums = jax.eval_shape(task.evaluate, params, aux, (), {**batch, **more})
        assert {value.dtype for value in sums.values()} == {jnp.dtype("float32")}
        weighted = {"weight", "weighted_l2", "weighted_squared_l2"} if more else set()
        assert {name: value.shape for name, value in sums.items()} == {
            **expected, **dict.fromkeys(weighted, ())
        }  # fmt: skip


def test_gradients_agree_with_finite_differences():
    with enable_x64(True):
        rows, task, _ = small_task(num_rows=16)
        params, aux = task.init(jax.random.key(0))
        params = jax.tree.map(lambda p: p.astype(jnp.float64), params)

        def loss(params):
            batch = {"rows": jnp.asarray(rows, jnp.float64), "mask": jnp.ones(16, bool)}
            return task.loss(params, aux, (), batch, jnp.int32(0), jax.random.key(1))[0]

        check_grads(loss, (params,), order=1, modes=["rev"], atol=1e-3, rtol=1e-3)


def test_there_are_as_many_parameters_as_the_paper_counts():
    _, task, _ = small_task(dim=6, hidden_size=16)
    params, _ = jax.eval_shape(task.init, jax.random.key(0))
    num_codewords, dim = 4 * 8, 6
    hidden = num_codewords // 2
    expected = (dim + 1) * hidden + (hidden + 1) * num_codewords + num_codewords * dim
    assert sum(p.size for p in jax.tree.leaves(params)) == expected


def test_dead_codewords_start_anew_beside_the_most_used_one():
    _, task, _ = small_task()
    params, _ = task.init(jax.random.key(0))
    usage = np.full((4, 8), 10.0)
    usage[1, 2], usage[1, 5], usage[1, 6] = 0, 90, 0
    usage[1, 0] = 80
    revived = revive_codewords(jax.random.key(1), params, jnp.asarray(usage))
    old, new = np.asarray(params["codebooks"]), np.asarray(revived["codebooks"])
    np.testing.assert_allclose(new[1, 2], old[1, 5], atol=0.1 * old.std())
    np.testing.assert_allclose(new[1, 6], old[1, 0], atol=0.1 * old.std())
    assert (new[1, 2] != old[1, 5]).all()
    same = np.ones((4, 8), bool)
    same[1, [2, 6]] = False
    np.testing.assert_array_equal(new[same], old[same])
    old_bias = np.asarray(params["encoder"]["scores"]["bias"]) + np.arange(32)
    params["encoder"]["scores"]["bias"] = jnp.asarray(old_bias)
    revived = revive_codewords(jax.random.key(1), params, jnp.asarray(usage))
    new_bias = np.asarray(revived["encoder"]["scores"]["bias"])
    assert new_bias[8 + 2] == old_bias[8 + 5]
    assert new_bias[8 + 6] == old_bias[8 + 0]
    usage[2] = [1, 1, 0, 1, 1, 0, 1, 1]  # no codeword has two rows that it could share
    revived = revive_codewords(jax.random.key(1), params, jnp.asarray(usage))
    np.testing.assert_array_equal(np.asarray(revived["codebooks"])[2], old[2])
    unchanged = revive_codewords(jax.random.key(1), params, jnp.ones((4, 8)))
    jax.tree.map(np.testing.assert_array_equal, unchanged, params)


def test_twenty_seeds_give_twenty_finite_runs_that_learn():
    rows, task, _ = small_task(num_rows=400)
    tx = make_optimizer(dccl.OptimizerConfig(), 40)
    batch = batch_of(rows)

    @jax.jit
    def run(seed):
        params, aux = task.init(jax.random.key(seed))
        state = TrainState(jnp.int32(0), params, tx.init(params), aux, ())

        def body(state, _):
            state, metrics = train_step(state, batch, jax.random.key(seed), loss=task.loss, tx=tx)
            return state, metrics["loss"]

        return jax.lax.scan(body, state, None, 40)[1]

    losses = np.asarray(jax.lax.map(run, jnp.arange(20)))
    assert np.isfinite(losses).all()
    assert (losses[:, -1] < losses[:, 0]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_codewords": 1}, "num_codewords is 1; it must be from 2 to 65,536"),
        ({"num_codebooks": 0}, "num_codebooks is 0; it must be from 1 to 1,024"),
        ({"num_codebooks": 1024, "num_codewords": 2048}, "1024 x 2048 codewords are more than"),
        ({"temperature": 0.0}, "temperature is 0.0; it must be above 0"),
        ({"final_temperature": -1.0}, "final_temperature is -1.0"),
    ],
)
def test_invalid_settings_are_named_in_the_error(changes, message):
    config = dccl.Config(model=dataclasses.replace(dccl.ModelConfig(), **changes))
    with pytest.raises(InputError, match=message):
        config.check()


@pytest.mark.parametrize(
    ("given", "num_devices", "taken"),
    [
        (512, 1, 512), (512, 8, 512), (512, 3, 510), (512, 5, 510), (512, 7, 511), (512, 600, 600),
        (500, 3, 500), (510, 3, 510), (2000, 3, 999),
    ],
)  # fmt: skip
def test_the_default_batch_size_is_a_multiple_of_any_number_of_devices(given, num_devices, taken):
    """Another size, 500 here, is left to the engine, which refuses it; 2000 is above the rows."""
    notes = []
    assert prepare._fit_batch_size(given, 1000, num_devices, notes.append) == taken
    assert bool(notes) == (given != taken)
    assert all(str(taken) in note for note in notes)


def test_a_second_table_of_the_same_shape_compiles_next_to_nothing():
    compiled = []

    def record(name, seconds, **about):
        if "backend_compile" in name:
            compiled.append(name)

    def compress(seed):
        vectors = np.random.default_rng(seed).normal(size=(120, 5)).astype(np.float32)
        config = dccl.Config(num_steps=20, refine=dccl.RefineConfig(num_rounds=1))
        jaxcompress.compress(
            vectors, num_codebooks=3, num_codewords=5, config=config, show_progress=False
        )
        count = len(compiled)
        compiled.clear()
        return count

    jax.monitoring.register_event_duration_secs_listener(record)
    first, second = compress(0), compress(1)
    assert first > 5
    assert second <= 1  # the first values, which are made of the table's mean
