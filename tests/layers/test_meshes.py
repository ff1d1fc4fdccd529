"""Layers under meshes. But for one test, the mesh has one device: its types are what matters."""

import contextlib
import sys

import helpers
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcompress import Codes
from jaxcompress.codes.attend import attend
from jaxcompress.layers import CodesEmbed, NNXCodesEmbed

rng = np.random.default_rng(0)
CODES = Codes(rng.integers(0, 4, (50, 3)), rng.normal(size=(3, 4, 6)).astype(np.float32))
TABLE = np.einsum("vmk,mkd->vd", np.eye(4)[CODES.codes], CODES.codebooks)
IDS = rng.integers(0, 50, (8, 2)).astype(np.int32)
QUERY = rng.normal(size=(8, 2, 6)).astype(np.float32)


def outputs(variables, ids, query):
    module = CodesEmbed(CODES, trainable=True)
    return module.apply(variables, ids), module.apply(variables, query, method="attend")


def nnx_outputs(variables, ids, query):
    model = NNXCodesEmbed(CODES, trainable=True)
    model.codebooks[...] = variables["params"]["codebooks"]
    return model(ids), model.attend(query)


def gradient(variables, ids, query):
    """By the codebooks, of the mean of all squares of rows and logits."""

    def loss(params):
        rows, logits = outputs({**variables, "params": params}, ids, query)
        return jnp.square(rows).mean() + jnp.square(logits).mean()

    return jax.grad(loss)(variables["params"])["codebooks"]


def expected_gradient():
    d_rows = np.zeros_like(TABLE)
    np.add.at(d_rows, IDS, 2 * TABLE[IDS] / TABLE[IDS].size)
    query = QUERY.reshape(-1, 6)
    logits = query @ TABLE.T
    d_rows += (2 * logits / logits.size).T @ query
    return np.einsum("vmk,vd->mkd", np.eye(4)[CODES.codes], d_rows)


def make_variables():
    return {"codes": {"codes": CODES.codes}, "params": {"codebooks": CODES.codebooks}}


def check(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5)


def make_mesh(*kinds):
    names = ("data", "model")[: len(kinds)]
    return jax.make_mesh((1,) * len(kinds), names, axis_types=kinds)


def place(mesh, x, *spec):
    return jax.tree.map(lambda x: jax.device_put(x, NamedSharding(mesh, P(*spec))), x)


def test_eight_devices_share_the_queries():
    done = helpers.run([sys.executable, "tests/layers/eight_devices.py"], num_devices=8)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("has_context", [True, False])
@pytest.mark.parametrize(
    "kinds", [(AxisType.Explicit,), (AxisType.Explicit, AxisType.Auto), (AxisType.Auto,)]
)
def test_layers_work_under_meshes_and_keep_an_explicit_split(kinds, has_context):
    mesh, variables = make_mesh(*kinds), make_variables()
    with jax.set_mesh(mesh) if has_context else contextlib.nullcontext():
        ids, query = place(mesh, IDS, "data"), place(mesh, QUERY, "data")
        for call in (outputs, nnx_outputs):
            rows, logits = jax.jit(call)(variables, ids, query)
            check(rows, TABLE[IDS])
            check(logits, QUERY @ TABLE.T)
            if AxisType.Auto not in kinds:  # whose split a result of jit need not tell
                assert rows.sharding.spec[0] == logits.sharding.spec[0] == "data"
        check(jax.jit(gradient)(variables, ids, query), expected_gradient())
        check(Codes(CODES.codes, CODES.codebooks).lookup(ids), TABLE[IDS])


@pytest.mark.parametrize("has_context", [True, False])
def test_transformations_are_traced_under_an_explicit_mesh(has_context):
    mesh, variables = make_mesh(AxisType.Explicit), make_variables()
    with jax.set_mesh(mesh) if has_context else contextlib.nullcontext():
        placed = place(mesh, IDS, "data"), place(mesh, QUERY, "data")
        mapped = jax.vmap(gradient, (None, 0, 0))
        for inputs in (placed, (IDS, QUERY)):
            for given in (variables, place(mesh, variables)):
                for call in (gradient, jax.checkpoint(gradient), mapped):
                    assert jax.eval_shape(call, given, *inputs).shape[-3:] == (3, 4, 6)
        split = place(mesh, variables["params"]["codebooks"], None, None, "data")
        given = {**variables, "params": {"codebooks": split}}
        rows, logits = jax.eval_shape(outputs, given, IDS, QUERY)
        assert rows.sharding.spec[-1] == "data"
        assert logits.shape == (8, 2, 50)
        check(gradient(variables, *placed), expected_gradient())


@pytest.mark.parametrize(
    "kinds", [(AxisType.Auto,), (AxisType.Explicit,), (AxisType.Auto, AxisType.Explicit)]
)
def test_layers_work_inside_of_shard_map(kinds):
    """Gradients by what is the same on all devices are summed over them: one replica here."""
    mesh, variables = make_mesh(*kinds), make_variables()
    mapped = jax.shard_map(
        lambda *x: (*outputs(*x), gradient(*x)),
        mesh=mesh,
        in_specs=(P(), P("data"), P("data")),
        out_specs=(P("data"), P("data"), P()),
        axis_names={"data"},
    )
    inputs = place(mesh, IDS, "data"), place(mesh, QUERY, "data")
    rows, logits, found = jax.jit(mapped)(place(mesh, variables), *inputs)
    check(rows, TABLE[IDS])
    check(logits, QUERY @ TABLE.T)
    check(found, expected_gradient())


def test_layers_are_exported_with_a_symbolic_batch():
    (size,) = export.symbolic_shape("b")
    struct = lambda x: jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype)
    calls = lambda *x: (*outputs(*x), gradient(*x))
    exported = export.export(jax.jit(calls))(make_variables(), struct(IDS), struct(QUERY))
    rows, logits, found = exported.call(make_variables(), IDS, QUERY)
    check(rows, TABLE[IDS])
    check(logits, QUERY @ TABLE.T)
    check(found, expected_gradient())


def test_a_hessian_is_that_of_the_dense_product():
    """Of the sum of cubes of logits: 6 * sum_v logit_v * row_v row_v^T."""
    query = QUERY[0, 0]
    cubes = lambda query: (attend(query, CODES.codes, CODES.codebooks) ** 3).sum()
    expected = 6 * np.einsum("v,vd,ve->de", TABLE @ query, TABLE, TABLE)
    np.testing.assert_allclose(jax.jit(jax.hessian(cubes))(query), expected, rtol=1e-4, atol=1e-3)
