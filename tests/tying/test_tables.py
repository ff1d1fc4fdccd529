"""Tables of a language model that are not dense: their losses, gradients, changes, files."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcompress
from jaxcompress import InputError, tying
from jaxcompress.codes.artefact import Codes
from jaxcompress.tables.adapt import make_plan
from jaxcompress.tables.config import TableConfig
from jaxcompress.tying.tables import make_tables
from jaxcompress.tying.task import make_optimizer, make_task

V, D, B, T = 12, 8, 3, 4
WORDS = [f"w{i}" for i in range(V)]
TOKENS = np.arange(V).repeat(3)
KINDS = {
    "codes": TableConfig(kind="codes"),
    "ant": TableConfig(kind="ant", num_anchors=5),
    "nbant": TableConfig(kind="nbant", num_anchors=3, max_anchors=6, delta=2),
    "low_rank": TableConfig(kind="low_rank", rank=3),
    "hashed": TableConfig(kind="hashed", num_rows=6),
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """A config of each kind; that of codes names a file with the words in another order."""
    file, rng = tmp_path_factory.mktemp("codes") / "c.safetensors", np.random.default_rng(0)
    codes = Codes(rng.integers(0, 3, (V, 2)), 0.1 * rng.normal(size=(2, 3, D)), words=WORDS[::-1])
    codes.save(file)
    return {**KINDS, "codes": TableConfig(kind="codes", codes=str(file))}


def start(table, variant, init_scale=0.1, **others):
    """Config, tables, task, first parameters and aux of a small model."""
    model = tying.ModelConfig(hidden_size=D, num_layers=1, dropout=0.0, init_scale=init_scale)
    model = tying.with_variant(model, variant)
    config = tying.Config(model=model, embedding=table, **others)
    tables = make_tables(config, WORDS, TOKENS, num_steps=30, eval_every=1)
    task = make_task(config.model, V, 10, tables=tables)
    return config, tables, task, *jax.jit(task.init)(jax.random.key(0))


def batch():
    stream = np.random.default_rng(0).integers(0, V, (B, T + 1))
    return {"inputs": jnp.asarray(stream[:, :-1]), "targets": jnp.asarray(stream[:, 1:]),
            "mask": jnp.ones((B, T), bool), "first": jnp.zeros(B, bool)}  # fmt: skip


def gradient_of(task, params, aux):
    """The loss of a batch and its gradient."""

    def loss(params):
        carry = task.init_carry(B)
        return task.loss(params, aux, carry, batch(), jnp.int32(0), jax.random.key(1))[0]

    return jax.jit(jax.value_and_grad(loss))(params)


DENSE = start(TableConfig(), "real")[2]


@pytest.mark.parametrize("kind", ["codes", "ant", "low_rank"])
def test_every_kind_has_the_loss_of_the_dense_table_with_its_rows_and_its_gradient(kind, kinds):
    """With RE and AL, so that rows are taken, multiplied with, and made a teacher of."""
    _, tables, task, params, aux = start(kinds[kind], "real")
    rows = tables.decoded(params, aux)
    assert rows["embedding"].shape == (V, D)
    value, gradient = gradient_of(task, params, aux)
    expected, of_rows = gradient_of(DENSE, rows, {})
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    _, pull_back = jax.vjp(lambda p: tables.rows("embedding", p, aux), params["embedding"])
    (taken_back,) = pull_back(of_rows["embedding"])
    for name, found in gradient["embedding"].items():
        np.testing.assert_allclose(found, taken_back[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_of_a_table_has_the_rows_of_the_model(kind, kinds):
    _, tables, _, params, aux = start(kinds[kind], "re")
    params, aux = jax.device_get((params, aux))
    artefact = tables.artefacts(params, aux)["embedding"]
    assert list(artefact.words) == WORDS
    rows = tables.decoded(params, aux)["embedding"]
    np.testing.assert_allclose(artefact.decode(), rows, rtol=1e-5, atol=1e-6)


def test_codes_begin_as_the_table_that_they_are_of(kinds):
    _, tables, _, params, aux = start(kinds["codes"], "re")
    codes = jaxcompress.load_codes(kinds["codes"].codes)
    rows = [codes[word] for word in WORDS]
    np.testing.assert_allclose(tables.decoded(params, aux)["embedding"], rows, rtol=1e-6)


def test_input_and_output_may_be_of_different_kinds(kinds):
    others = {"classifier": kinds["ant"]}
    _, tables, task, params, aux = start(kinds["low_rank"], "baseline", **others)
    assert set(params["embedding"]) == {"numbers", "basis"}
    assert set(params["classifier"]) == {"transform", "anchors"}
    _, gradient = gradient_of(task, params, aux)
    for leaf in jax.tree.leaves((gradient["embedding"], gradient["classifier"])):
        assert jnp.abs(leaf).max() > 0
    assert len(tables.artefacts(*jax.device_get((params, aux)))) == 2


def test_anchors_join_while_the_loss_falls_and_entries_go_until_so_many_are_left():
    table = dataclasses.replace(KINDS["nbant"], nonzeros=20, anchor_penalty=0.0)
    _, tables, task, params, aux = start(table, "re", init_scale=0.01)
    plan = tables.plans["embedding"]
    assert (plan.grown, plan.prune, plan.settled, plan.best_from) == (10, 10, 20, 21)
    counts, after_eval = [], jax.jit(task.after_eval)
    for step in (1, 2, 10, 15, 20):
        sums = {"valid": {"nll": jnp.float32(100 - step), "count": jnp.float32(10)}}
        key = jax.random.key(step)
        params, aux = after_eval(jnp.int32(step), key, params, aux, sums)
        if step < 10:  # as training would, which gives shares of the anchors that have joined
            own = params["embedding"]
            shares = jnp.where(own["transform"] == 0, 0.01, own["transform"])
            params["embedding"] = {**own, "transform": shares}
        counts.append(int(aux["embedding"]["active"].sum()))
    assert counts == [5, 6, 6, 6, 6]
    sizes = np.square(params["embedding"]["anchors"]).mean(axis=1) ** 0.5
    assert (sizes < 0.1).all()  # as of those that were there; alone they would be 0.5
    assert int((params["embedding"]["transform"] != 0).sum()) == 20
    artefact = tables.artefacts(*jax.device_get((params, aux)))["embedding"]
    assert (artefact.num_anchors, artefact.nnz) == (6, 20)


def test_anchors_are_learned_by_the_proximal_step_and_what_is_pruned_stays_so():
    table = TableConfig(kind="ant", num_anchors=5, nonzeros=20, penalty=1e6, learning_rate=0.1)
    config, tables, _, params, _ = start(table, "re")
    tx = make_optimizer(config.optimizer, 10, {"embedding": table}, tables)
    zeros, state = jax.tree.map(jnp.zeros_like, params), jax.jit(tx.init)(params)
    update = jax.jit(tx.update)
    updates, _ = update(zeros, state, params)
    assert (params["embedding"]["transform"] + updates["embedding"]["transform"] == 0).all()
    # After the step at which all that is to go has gone there is no penalty.
    partition = state[1].inner_states["embedding"].inner_state
    late = partition._replace(count=jnp.int32(20))
    inner = {**state[1].inner_states, "embedding": state[1].inner_states["embedding"]._replace(
        inner_state=late)}  # fmt: skip
    gone = {**params, "embedding": {**params["embedding"]}}
    gone["embedding"]["transform"] = params["embedding"]["transform"].at[0].set(0)
    ones = jax.tree.map(lambda x: -jnp.ones_like(x), params)
    updates, _ = update(ones, (state[0], state[1]._replace(inner_states=inner)), gone)
    assert (updates["embedding"]["transform"][0] == 0).all()
    assert (updates["embedding"]["transform"][1] > 0).all()


def test_a_table_may_have_a_rate_of_its_own_and_adam():
    config, _, _, params, _ = start(TableConfig(), "re")
    optimizer = dataclasses.replace(config.optimizer, clip_norm=None)
    slopes = jax.tree.map(lambda x: jnp.full_like(x, 4.0), params)
    for table, expected in (
        (TableConfig(), -4.0), (TableConfig(learning_rate=0.25), -1.0),
        (TableConfig(adaptive=True), -0.01), (TableConfig(adaptive=True, learning_rate=0.5), -0.5),
    ):  # fmt: skip
        tx = make_optimizer(optimizer, 10, {"embedding": table})
        updates, _ = tx.update(slopes, tx.init(params), params)
        np.testing.assert_allclose(updates["embedding"], expected, rtol=1e-4)
        np.testing.assert_allclose(updates["lstm_0_bias"], -4.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classifier": KINDS["ant"]}, "classifier.kind is 'ant', but with model.reuse_embedding"),
        ({"embedding": TableConfig(kind="codes")}, "takes --config.embedding.codes=PATH"),
        ({"embedding": TableConfig(codes="x")}, "kind is 'dense' and embedding.codes is x"),
        (
            {"embedding": TableConfig(kind="nbant", num_anchors=9, max_anchors=8)},
            "embedding.num_anchors is 9, embedding.max_anchors is 8",
        ),
        (
            {"embedding": KINDS["ant"], "data": tying.DataConfig(vectors="v")},
            "data.vectors are first values of a dense embedding; embedding.kind is 'ant'",
        ),
        ({"embedding": TableConfig(kind="sparse")}, "embedding.kind is 'sparse'; it must be one"),
    ],
)
def test_a_config_of_tables_that_do_not_fit_is_one_line(changes, message):
    model = tying.with_variant(tying.ModelConfig(), "re")
    with pytest.raises(InputError, match=message) as caught:
        tying.Config(model=model, **changes).check()
    assert "\n" not in str(caught.value)


def test_a_run_too_short_for_its_plan_is_one_line():
    with pytest.raises(InputError, match="a run of 4 steps with an evaluation every 3 is too sho"):
        make_plan(KINDS["nbant"], 4, 3)
    assert make_plan(KINDS["ant"], 4, 3).best_from == 0
