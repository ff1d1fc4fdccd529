"""Layers of anchors against the dense table that they stand for; growth; artefacts."""

from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jaxcompress
from jaxcompress import InputError, anchors
from jaxcompress.layers import AnchorEmbed, Fixed, NNXAnchorEmbed

BOTH = pytest.mark.parametrize("kind", ["linen", "nnx"])
V, K, D = 40, 5, 6
rng = np.random.default_rng(0)
PARAMS = {
    "transform": (rng.random((V, K)) * (rng.random((V, K)) < 0.5)).astype(np.float32),
    "anchors": rng.normal(size=(K, D)).astype(np.float32),
}
TABLE = PARAMS["transform"].astype(np.float64) @ PARAMS["anchors"]
IDS = rng.integers(0, V, (3, 4))
QUERY = rng.normal(size=(7, D)).astype(np.float32)


def layer(kind, params=PARAMS, **options):
    """A layer of either library as functions `embed(ids)`, `attend(query)`, with its variables."""
    rows, dim = len(params["transform"]), params["anchors"].shape[1]
    count = options.pop("num_anchors", len(params["anchors"]))
    if kind == "nnx":
        module = NNXAnchorEmbed(rows, dim, count, rngs=nnx.Rngs(0), **options)
        nnx.update(module, params)
        return SimpleNamespace(embed=module, attend=module.attend, module=module)
    module = AnchorEmbed(rows, dim, count, **options)
    variables = {**module.init(jax.random.key(0), jnp.zeros(1, int)), "params": params}
    return SimpleNamespace(
        embed=lambda ids: module.apply(variables, ids),
        attend=lambda query: module.apply(variables, query, method="attend"),
        module=module,
        variables=variables,
    )


@BOTH
def test_rows_and_logits_are_those_of_the_dense_table(kind):
    ours = layer(kind)
    for call in (ours.embed, jax.jit(ours.embed)):
        for ids in (IDS, IDS[0, 0], IDS.astype(np.uint8), np.zeros((0, 2), int)):
            np.testing.assert_allclose(call(jnp.asarray(ids)), TABLE[ids], rtol=1e-5, atol=1e-6)
    for call in (ours.attend, jax.jit(ours.attend)):
        for query in (QUERY, QUERY[0], QUERY.reshape(7, 1, D)):
            np.testing.assert_allclose(call(query), query @ TABLE.T, rtol=1e-5, atol=1e-5)
    assert (ours.module.num_embeddings, ours.module.features) == (V, D)


@BOTH
def test_ids_out_of_range_do_as_those_of_flax(kind):
    ids = jnp.array([0, -1, -V, -V - 1, V - 1, V])
    dense = nn.Embed(V, D).apply({"params": {"embedding": jnp.asarray(TABLE, jnp.float32)}}, ids)
    found = layer(kind).embed(ids)
    assert np.isnan(found[3]).all()
    np.testing.assert_allclose(found, dense, rtol=1e-5, atol=1e-6)


@BOTH
def test_gradients_are_those_of_the_dense_table(kind):
    """With G that of the table: G A' by the transform, T' G by the anchors."""
    weights = rng.normal(size=(7, V)).astype(np.float32)
    ours = layer(kind)

    def loss(embed, attend):
        return (embed(IDS) ** 2).sum() / 2 + (weights * attend(QUERY)).sum()

    if kind == "nnx":
        found = nnx.to_pure_dict(nnx.grad(lambda m: loss(m, m.attend))(ours.module))
    else:
        call = lambda params, x, method: ours.module.apply({"params": params}, x, method=method)
        found = jax.grad(lambda p: loss(lambda x: call(p, x, "__call__"),
                                        lambda x: call(p, x, "attend")))(PARAMS)  # fmt: skip
    of_table = weights.T @ QUERY.astype(np.float64)
    np.add.at(of_table, IDS, TABLE[IDS])
    np.testing.assert_allclose(found["transform"], of_table @ PARAMS["anchors"].T, atol=1e-4)
    np.testing.assert_allclose(found["anchors"], PARAMS["transform"].T @ of_table, atol=1e-4)


@BOTH
def test_types_are_those_that_are_asked_for(kind):
    for options in ({}, {"dtype": jnp.bfloat16}, {"param_dtype": jnp.bfloat16}):
        params = jax.tree.map(lambda x, o=options: jnp.asarray(x, o.get("param_dtype")), PARAMS)
        ours = layer(kind, params, **options)
        expected = options.get("dtype", options.get("param_dtype", jnp.float32))
        assert ours.embed(IDS).dtype == expected
        assert ours.attend(jnp.asarray(QUERY, expected)).dtype == expected
        np.testing.assert_allclose(np.asarray(ours.embed(IDS), float), TABLE[IDS], atol=0.05)


def test_new_layers_are_dense_and_at_least_0_and_only_room_adds_a_variable():
    for options in ({}, {"max_anchors": 8}):
        variables = AnchorEmbed(V, D, K, **options).init(jax.random.key(0), jnp.zeros(1, int))
        model = NNXAnchorEmbed(V, D, K, rngs=nnx.Rngs(0), **options)
        shapes = {"anchors": (options.get("max_anchors", K), D),
                  "transform": (V, options.get("max_anchors", K))}  # fmt: skip
        assert (variables["params"]["transform"] >= 0).all()
        assert jax.tree.map(jnp.shape, variables["params"]) == shapes
        assert jax.tree.map(jnp.shape, nnx.to_pure_dict(nnx.state(model, nnx.Param))) == shapes
        in_use = [True] * 5 + [False] * 3
        if options:
            assert variables["growth"]["active"].tolist() == in_use
            assert nnx.state(model, Fixed)["active"][...].tolist() == in_use
        else:
            assert set(variables) == {"params"}
            assert not nnx.state(model, Fixed)


def test_anchors_that_join_change_no_row_and_train_on_with_the_optimiser_and_program():
    model = AnchorEmbed(V, D, K, max_anchors=8)
    variables = model.init(jax.random.key(0), jnp.zeros(1, int))
    params, active = variables["params"], variables["growth"]["active"]
    tx = optax.chain(optax.adam(0.01), anchors.proximal_l1(0.01, 0.01))
    state, everything = tx.init(params), jnp.arange(V)
    targets = rng.normal(size=(V, D)).astype(np.float32)

    def rows(params, active):
        return model.apply({"params": params, "growth": {"active": active}}, everything)

    @jax.jit
    def step(params, active, state):
        loss = lambda params: ((rows(params, active) - targets) ** 2).sum()
        gradient = jax.grad(loss)(params)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, gradient

    params, state, gradient = step(params, active, state)
    assert (gradient["transform"][:, K:] == 0).all()
    assert (gradient["anchors"][K:] == 0).all()
    grown, now = anchors.resize(jax.random.key(1), params, active, 2)
    assert now.tolist() == [True] * 7 + [False]
    np.testing.assert_array_equal(rows(grown, now), rows(params, active))
    assert (grown["anchors"][5:7] != params["anchors"][5:7]).all()
    trained, state, gradient = step(grown, now, state)
    assert (jnp.abs(gradient["transform"][:, 5:7]).sum(axis=0) > 0).all()  # they are to be used
    assert (gradient["transform"][:, 7] == 0).all()
    assert (trained["transform"][:, 5:7] > 0).any()
    assert int(state[0][0].count) == 2
    assert step._cache_size() == 1


@BOTH
def test_free_anchors_are_in_no_row_and_no_logit(kind):
    params = {"transform": np.ones((V, 8), np.float32), "anchors": np.ones((8, D), np.float32)}
    ours = layer(kind, params, num_anchors=K, max_anchors=8)
    assert (ours.embed(IDS) == K).all()
    assert (ours.attend(jnp.ones((2, D))) == K * D).all()


def test_the_anchor_that_adds_least_to_the_table_leaves():
    params = {"transform": np.array([[3.0, 2.0, 1.0]]), "anchors": np.diag([1.0, 1.0, 9.0])}
    found, active = anchors.resize(jax.random.key(0), params, np.ones(3, bool), -1)
    assert active.tolist() == [True, False, True]
    assert found["transform"].tolist() == [[3, 0, 1]]


def test_a_layer_of_nnx_grows_in_place():
    module = layer("nnx", anchors.to_params(anchors.to_artefact(PARAMS), 8), num_anchors=K,
                   max_anchors=8).module  # fmt: skip
    params = nnx.to_pure_dict(nnx.state(module, nnx.Param))
    params, active = anchors.resize(jax.random.key(0), params, module.active[...], 1)
    nnx.update(module, {**params, "active": active})
    assert int(module.active[...].sum()) == K + 1
    np.testing.assert_allclose(module(IDS), TABLE[IDS], rtol=1e-5, atol=1e-6)
    assert anchors.to_artefact(params, module.active[...]).num_anchors == K + 1


@BOTH
def test_parameters_become_an_artefact_and_the_artefact_parameters(kind, tmp_path):
    ours = layer(kind)
    params = ours.variables["params"] if kind == "linen" else (
        nnx.to_pure_dict(nnx.state(ours.module, nnx.Param)))  # fmt: skip
    anchors.to_artefact(params, words=[f"w{i}" for i in range(V)]).save(tmp_path / "a.safetensors")
    artefact = jaxcompress.load_anchors(tmp_path / "a.safetensors")
    assert artefact.nnz == (PARAMS["transform"] != 0).sum()
    np.testing.assert_allclose(artefact["w7"], TABLE[7], rtol=1e-5, atol=1e-6)
    for room in (None, 8):
        again = layer(kind, anchors.to_params(artefact, room), num_anchors=K, max_anchors=room)
        np.testing.assert_allclose(again.embed(IDS), TABLE[IDS], rtol=1e-5, atol=1e-6)
    for name in PARAMS:
        np.testing.assert_array_equal(anchors.to_params(artefact)[name], PARAMS[name])
    active = np.array([True, False, True, True, False])
    left = anchors.to_artefact(PARAMS, active)
    expected = PARAMS["transform"][:, active] @ PARAMS["anchors"][active]
    np.testing.assert_allclose(left.decode(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_rows_and_logits_are_split_as_ids_and_queries_are(kind):
    mesh = jax.make_mesh((1,), ("data",), axis_types=(kind,))
    place = lambda x, *spec: jax.device_put(x, NamedSharding(mesh, P(*spec)))
    model = AnchorEmbed(V, D, K)

    def loss(params, ids, query):
        call = lambda x, method: model.apply({"params": params}, x, method=method)
        rows, logits = call(ids, "__call__"), call(query, "attend")
        return jnp.square(rows).sum() + jnp.square(logits).sum(), (rows, logits)

    params = {"transform": place(PARAMS["transform"], "data"), "anchors": place(PARAMS["anchors"])}
    arguments = params, place(IDS, "data"), place(QUERY, "data")
    gradient, (rows, logits) = jax.jit(jax.grad(loss, has_aux=True))(*arguments)
    expected = jax.grad(loss, has_aux=True)(PARAMS, IDS, QUERY)[0]
    np.testing.assert_allclose(rows, TABLE[IDS], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logits, QUERY @ TABLE.T, rtol=1e-5, atol=1e-5)
    for name in PARAMS:
        np.testing.assert_allclose(gradient[name], expected[name], rtol=1e-4, atol=1e-4)
    if kind == AxisType.Explicit:
        assert [jax.typeof(x).sharding.spec[0] for x in (rows, logits)] == ["data", "data"]


@BOTH
def test_wrong_use_is_one_line(kind):
    ours, name = layer(kind), "NNXAnchorEmbed" if kind == "nnx" else "AnchorEmbed"
    artefact = anchors.to_artefact(PARAMS)
    for call, message in (
        (lambda: layer(kind, num_anchors=0), f"^{name}: num_anchors is 0; expected a whole number"),
        (lambda: layer(kind, max_anchors=3), f"^{name}: num_anchors is 5; there is room for.*3"),
        (lambda: ours.embed(jnp.ones(3)), "^ids are float32; expected integers"),
        (lambda: ours.attend(jnp.ones((2, 5))), r"^the query is \[2, 5\]; expected \[..., 6\]"),
        (lambda: anchors.to_artefact({"embed": PARAMS}), r"parameters are \['embed'\]; expected"),
        (lambda: anchors.to_artefact(ours.module), f"^the parameters are {name}; expected"),
        (lambda: anchors.to_artefact({**PARAMS, "anchors": np.ones((4, D))}), r"anchors \[4, 6\]"),
        (lambda: anchors.to_params(PARAMS), "^got an object of type dict; expected jaxcompress.Sp"),
        (lambda: anchors.to_params(artefact, 3), "^max_anchors is 3; the artefact has 5 anchors"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
