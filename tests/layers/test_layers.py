from types import SimpleNamespace

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxcompress import Codes, InputError
from jaxcompress.codes.attend import attend
from jaxcompress.codes.decode import lookup, sum_codewords
from jaxcompress.layers.flax import CodesEmbed
from jaxcompress.layers.nnx import Fixed, NNXCodesEmbed

BOTH = pytest.mark.parametrize("kind", ["linen", "nnx"])


def make_codes(num_rows=50, num_codebooks=5, num_codewords=7, dim=6, seed=0):
    rng = np.random.default_rng(seed)
    return Codes(
        rng.integers(0, num_codewords, (num_rows, num_codebooks)),
        rng.normal(size=(num_codebooks, num_codewords, dim)).astype(np.float32),
    )


def table_of(codes):
    """The dense table, by one-hot products: neither gathers nor the artefact's own decoder."""
    one_hot = np.eye(codes.num_codewords)[codes.codes]
    return np.einsum("vmk,mkd->vd", one_hot, codes.codebooks.astype(np.float64))


def make_queries(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def check_close(found, expected, tolerance=1e-5):
    """Compares to a share of the largest expected value."""
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        np.asarray(found, np.float64), expected, rtol=0, atol=tolerance * np.abs(expected).max()
    )


def layer(kind, codes, **options):
    """A layer of either library as functions `embed(ids)`, `attend(query)`, with its module."""
    if kind == "nnx":
        module = NNXCodesEmbed(codes, **options)
        return SimpleNamespace(
            embed=module, attend=module.attend, module=module, variables=nnx.state(module)
        )
    module = CodesEmbed(codes, **options)
    variables = module.init(jax.random.key(0), jnp.zeros(1, int))
    return SimpleNamespace(
        embed=lambda ids: module.apply(variables, ids),
        attend=lambda query: module.apply(variables, query, method="attend"),
        module=module,
        variables=variables,
    )


@BOTH
@pytest.mark.parametrize(("num_codebooks", "num_codewords"), [(5, 7), (1, 3), (4, 4), (2, 300)])
def test_a_call_gives_the_rows_of_the_decoded_table(kind, num_codebooks, num_codewords):
    codes = make_codes(400, num_codebooks, num_codewords)
    ours = layer(kind, codes)
    ids = np.random.default_rng(1).integers(0, 400, (3, 4))
    for some in (ids, ids[0], ids[0, 0], ids.astype(np.uint16), (ids % 100).astype(np.int8)):
        check_close(ours.embed(jnp.asarray(some)), table_of(codes)[some])
    assert (ours.module.num_embeddings, ours.module.features) == (400, 6)


# Rows and queries below, at and above the parts they are cut into (256 and 128).
@pytest.mark.parametrize(
    ("num_rows", "num_codebooks", "num_codewords", "dim", "shape"),
    [
        (1, 2, 3, 4, (3,)),
        (255, 1, 7, 4, (5, 26)),
        (256, 5, 16, 30, (128,)),
        (1001, 3, 5, 7, (2, 150)),
        (513, 32, 16, 9, ()),
        (700, 4, 300, 5, (0,)),
        (700, 4, 300, 5, (257,)),
    ],
)
def test_attend_is_the_product_with_the_decoded_table(
    num_rows, num_codebooks, num_codewords, dim, shape
):
    codes = make_codes(num_rows, num_codebooks, num_codewords, dim)
    query = make_queries(*shape, dim)
    expected = query.astype(np.float64) @ table_of(codes).T
    logits = attend(query, codes.codes, codes.codebooks)
    assert logits.dtype == jnp.float32
    assert logits.shape == (*shape, num_rows)
    if logits.size:
        check_close(logits, expected)
        for kind in ("linen", "nnx"):
            check_close(layer(kind, codes).attend(query), expected)


@BOTH
@pytest.mark.parametrize("trainable", [True, False])
def test_attend_on_the_identity_is_the_table_that_a_call_looks_up(kind, trainable):
    codes = make_codes(300, 4, 9, 20)
    ours = layer(kind, codes, trainable=trainable)
    check_close(ours.attend(jnp.eye(20)).T, ours.embed(jnp.arange(300)), 1e-6)


def dense_gradients(query, codes, weights):
    """Of `sum(weights * (query @ table.T)**2)`, by query and codebooks, with NumPy."""
    table = table_of(codes)
    d_logits = 2 * weights * (query @ table.T)
    one_hot = np.eye(codes.num_codewords)[codes.codes]
    return d_logits @ table, np.einsum("vmk,bv,bd->mkd", one_hot, d_logits, query)


@pytest.mark.parametrize("num_codebooks", [1, 5])
@pytest.mark.parametrize(("num_rows", "num_queries"), [(300, 3), (255, 130)])
def test_gradients_by_query_and_codebooks_are_those_of_the_dense_product(
    num_rows, num_queries, num_codebooks
):
    codes = make_codes(num_rows, num_codebooks)
    query, weights = make_queries(num_queries, 6), make_queries(num_queries, num_rows, seed=2)
    expected = dense_gradients(query.astype(np.float64), codes, weights)

    def loss(query, codebooks):
        return jnp.sum(weights * attend(query, codes.codes, codebooks) ** 2)

    def mapped_loss(query, codebooks):
        one = lambda q: attend(q, codes.codes, codebooks)
        return jnp.sum(weights * jax.vmap(one)(query) ** 2)

    for function in (loss, jax.jit(loss), mapped_loss):
        found = jax.grad(function, (0, 1))(query, codes.codebooks)
        for one, other in zip(found, expected, strict=True):
            check_close(one, other, 1e-4)


def test_the_gradient_of_a_call_counts_how_often_a_codeword_was_used():
    codes = make_codes(30, 3, 4)
    module = CodesEmbed(codes, trainable=True)
    ids = np.array([3, 3, 7])
    variables = module.init(jax.random.key(0), ids)

    def loss(params):
        return module.apply({**variables, "params": params}, ids).sum()

    gradient = jax.grad(loss)(variables["params"])["codebooks"]
    counts = np.stack([np.bincount(codes.codes[ids, m], minlength=4) for m in range(3)])
    np.testing.assert_array_equal(gradient, np.broadcast_to(counts[..., None], gradient.shape))


def test_only_trainable_codebooks_are_parameters():
    codes = make_codes()
    shapes = {}
    for trainable in (False, True):
        variables = CodesEmbed(codes, trainable=trainable).init(jax.random.key(0), jnp.array([1]))
        shapes[trainable] = jax.tree.map(lambda x: (x.shape, str(x.dtype)), variables)
        model = NNXCodesEmbed(codes, trainable=trainable)
        assert set(nnx.state(model, nnx.Param)) == ({"codebooks"} if trainable else set())
        assert set(nnx.state(model, Fixed)) == ({"codes"} if trainable else {"codes", "codebooks"})
        gradient = nnx.grad(lambda model: model.attend(jnp.ones(6)).sum())(model)
        assert len(jax.tree.leaves(gradient)) == trainable
    codebooks, numbers = ((5, 7, 6), "float32"), ((50, 5), "uint8")
    assert shapes[False] == {"codes": {"codes": numbers, "codebooks": codebooks}}
    assert shapes[True] == {"codes": {"codes": numbers}, "params": {"codebooks": codebooks}}


@BOTH
def test_codes_are_no_constants_of_the_compiled_program(kind):
    codes = make_codes(20_000)
    ids, query = jnp.zeros(3, int), jnp.zeros((3, 6))
    if kind == "linen":
        module = CodesEmbed(codes)
        variables = jax.eval_shape(module.init, jax.random.key(0), ids)
        call = lambda variables: (
            module.apply(variables, ids),
            module.apply(variables, query, method="attend"),
        )
    else:
        graph, variables = nnx.split(NNXCodesEmbed(codes))
        call = lambda variables: (
            nnx.merge(graph, variables)(ids),
            nnx.merge(graph, variables).attend(query),
        )
    program = jax.jit(call).lower(variables)
    assert len(program.as_text()) < codes.codes.nbytes


def test_parameters_and_temporaries_are_a_tenth_of_the_dense_table():
    num_rows, dim, num_codebooks, num_codewords = 30_000, 300, 32, 16
    array = jax.ShapeDtypeStruct
    query = array((700, dim), jnp.float32)
    codes = array((num_rows, num_codebooks), jnp.uint8)
    codebooks = array((num_codebooks, num_codewords, dim), jnp.float32)
    pull_back = lambda query, codes, codebooks, d_logits: jax.vjp(
        lambda q, c: attend(q, codes, c), query, codebooks
    )[1](d_logits)
    parameters = num_rows * num_codebooks + 4 * num_codebooks * num_codewords * dim
    table = 4 * num_rows * dim
    forward = attend.lower(query, codes, codebooks).compile().memory_analysis()
    assert parameters + forward.temp_size_in_bytes < table / 10
    inputs = (query, codes, codebooks, array((700, num_rows), jnp.float32))
    backward = jax.jit(pull_back).lower(*inputs).compile().memory_analysis()
    assert backward.temp_size_in_bytes < table / 10


class LinenModel(nn.Module):
    embed: nn.Module

    @nn.compact
    def __call__(self, ids):
        return self.embed.attend(nn.Dense(self.embed.features)(self.embed(ids)))


class NNXModel(nnx.Module):
    def __init__(self, embed, rngs):
        self.embed = embed
        self.dense = nnx.Linear(embed.features, embed.features, rngs=rngs)

    def __call__(self, ids):
        return self.embed.attend(self.dense(self.embed(ids)))


IDS, TARGETS = jnp.arange(24), (jnp.arange(24) + 1) % 24


def cross_entropy(logits):
    return optax.softmax_cross_entropy_with_integer_labels(logits, TARGETS).mean()


@pytest.mark.parametrize("name", ["dense", "frozen", "trainable"])
def test_the_same_linen_model_trains_with_either_embedding(name):
    codes = make_codes(24, dim=12)
    embed = nn.Embed(24, 12) if name == "dense" else CodesEmbed(codes, trainable=name != "frozen")
    model, optimizer = LinenModel(embed), optax.adam(0.02)
    rest = model.init(jax.random.key(0), IDS)
    params = rest.pop("params")
    assert ("embed" in params) == (name != "frozen")
    moments = optimizer.init(params)

    @jax.jit
    def step(params, moments):
        loss = lambda params: cross_entropy(model.apply({"params": params, **rest}, IDS))
        value, gradient = jax.value_and_grad(loss)(params)
        updates, moments = optimizer.update(gradient, moments)
        return optax.apply_updates(params, updates), moments, value

    losses = []
    for _ in range(60):
        params, moments, value = step(params, moments)
        losses.append(value)
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("name", ["dense", "frozen", "trainable"])
def test_the_same_nnx_model_trains_with_either_embedding(name):
    codes, rngs = make_codes(24, dim=12), nnx.Rngs(0)
    ours = lambda: NNXCodesEmbed(codes, trainable=name != "frozen")
    model = NNXModel(nnx.Embed(24, 12, rngs=rngs) if name == "dense" else ours(), rngs)
    optimizer = nnx.Optimizer(model, optax.adam(0.02), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        value, gradient = nnx.value_and_grad(lambda model: cross_entropy(model(IDS)))(model)
        optimizer.update(model, gradient)
        return value

    losses = [step(model, optimizer) for _ in range(60)]
    assert losses[-1] < losses[0] / 2
    if name != "dense":
        np.testing.assert_array_equal(model.embed.codes[...], codes.codes)
        same = np.array_equal(model.embed.codebooks[...], codes.codebooks)
        assert same == (name == "frozen")


def test_variables_are_saved_and_restored_as_any_others():
    saved, other = make_codes(seed=0), make_codes(seed=1)
    ids, expected = jnp.arange(50), table_of(saved)
    module = CodesEmbed(other, trainable=True)
    content = flax.serialization.to_bytes(
        CodesEmbed(saved, trainable=True).init(jax.random.key(0), ids)
    )
    restored = flax.serialization.from_bytes(module.init(jax.random.key(0), ids), content)
    check_close(module.apply(restored, ids), expected)
    model = NNXCodesEmbed(other)
    nnx.update(model, nnx.state(NNXCodesEmbed(saved)))
    check_close(model(ids), expected)


@BOTH
def test_ids_out_of_range_do_as_those_of_flax(kind):
    codes = make_codes()
    ids = jnp.array([0, -1, -50, -51, 49, 50, 1000])
    dense = nn.Embed(50, 6)
    expected = dense.apply({"params": {"embedding": jnp.asarray(codes.decode())}}, ids)
    assert np.isnan(expected[5]).all()
    assert not np.isnan(expected[:3]).any()
    ours = layer(kind, codes)
    for call in (ours.embed, jax.jit(ours.embed)):
        np.testing.assert_allclose(call(ids), expected, atol=1e-5)
        largest = call(jnp.array([2**32 - 1, 3], jnp.uint32))  # which is -1 as int32
        assert np.isnan(largest[0]).all()
        np.testing.assert_allclose(largest[1], codes[3], atol=1e-5)
        np.testing.assert_allclose(call(jnp.array([7, -1], jnp.int8)), codes.decode([7, 49]),
                                   atol=1e-5)  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dtype": jnp.bfloat16},
        {"param_dtype": jnp.bfloat16},
        {"dtype": jnp.float32, "param_dtype": jnp.bfloat16},
    ],
)
def test_types_are_those_of_flax(kind, options):
    codes = make_codes(num_rows=300)
    ours = layer(kind, codes, **options)
    if kind == "nnx":
        dense = nnx.Embed(300, 6, rngs=nnx.Rngs(0), **options)
        embed, dense_attend = dense, dense.attend
    else:
        dense = nn.Embed(300, 6, **options)
        variables = dense.init(jax.random.key(0), jnp.array([1]))
        embed = lambda ids: dense.apply(variables, ids)
        dense_attend = lambda query: dense.apply(variables, query, method="attend")
    kinds = {x.dtype for x in jax.tree.leaves(ours.variables)}
    assert kinds == {jnp.dtype(jnp.uint8), jnp.dtype(options.get("param_dtype", jnp.float32))}
    ids, query = jnp.array([1, 2]), make_queries(4, 6)
    assert ours.embed(ids).dtype == embed(ids).dtype
    check_close(ours.embed(ids), table_of(codes)[[1, 2]], 0.02)
    for kind_of_query in (jnp.float32, jnp.bfloat16):
        some = jnp.asarray(query, kind_of_query)
        assert ours.attend(some).dtype == dense_attend(some).dtype
        check_close(ours.attend(some), query @ table_of(codes).T, 0.02)


def test_sums_of_bfloat16_are_made_in_float32():
    """1 + 63 * 2^-9 in bfloat16 steps of 2^-7 stays 1; the sum, rounded once, is 1.125."""
    codebooks = np.full((64, 1, 1), 2.0**-9, np.float32)
    codebooks[0] = 1
    codes = Codes(np.zeros((3, 64), int), codebooks)
    one = jnp.ones((1, 1), jnp.bfloat16)
    logits = attend(one, codes.codes, jnp.asarray(codebooks, jnp.bfloat16))
    np.testing.assert_array_equal(logits, jnp.full((1, 3), 1.125, jnp.bfloat16))


@pytest.mark.parametrize("types", [("bfloat16", "bfloat16"), ("float32", "bfloat16")])
def test_no_product_of_bfloat16_is_left_to_the_compiler(types):
    """XLA for CPUs has none that is summed in float32, before jax 0.8.2."""
    shapes = ((3, 6), (5, 7, 6))
    query, codebooks = (jax.ShapeDtypeStruct(*x) for x in zip(shapes, types, strict=True))
    loss = lambda query, codebooks: attend(query, np.zeros((9, 5), np.uint8), codebooks).sum()
    program = jax.jit(jax.value_and_grad(loss, (0, 1))).lower(query, codebooks).as_text()
    products = [line for line in program.splitlines() if "dot_general" in line]
    assert len(products) >= 3
    assert not any("bf16" in line for line in products)


@BOTH
@pytest.mark.parametrize("small", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("option", ["param_dtype", "dtype"])
def test_the_gradient_of_a_call_is_summed_in_float32(kind, small, option):
    """Ones added up in bfloat16 stop at 256, in float16 at 2,048: here there are 3,000."""
    ours = layer(kind, make_codes(3, 2, 3), trainable=True, **{option: small})
    ids = np.repeat([0, 1], 3000)
    if kind == "linen":
        loss = lambda params: ours.module.apply({**ours.variables, "params": params}, ids).sum()
        gradient = jax.grad(loss)(ours.variables["params"])["codebooks"]
    else:
        gradient = nnx.grad(lambda module: module(ids).sum())(ours.module)["codebooks"][...]
    used = ours.module.codes[...] if kind == "nnx" else ours.variables["codes"]["codes"]
    counts = np.stack([np.bincount(used[ids, m], minlength=3) for m in range(2)])
    assert counts.max() >= 3000
    np.testing.assert_array_equal(gradient[..., 0], counts.astype(gradient.dtype))


def test_the_sum_of_a_row_is_rounded_once():
    """1 + 63 * 2^-9, as above: a sum of codewords in bfloat16 stays 1, one in float32 does not."""
    codebooks = np.full((64, 1, 1), 2.0**-9, np.float32)
    codebooks[0] = 1
    codes = Codes(np.zeros((3, 64), int), codebooks)
    ids = jnp.zeros(1, int)
    for kind in ("linen", "nnx"):
        embed = lambda kind=kind, **options: layer(kind, codes, param_dtype=jnp.bfloat16, **options)
        assert embed().embed(ids) == 1.125
        assert embed(dtype=jnp.float32).embed(ids) == 1 + 63 / 512
    small = jnp.asarray(codebooks, jnp.bfloat16)
    assert lookup(codes.codes, small, ids) == 1.125
    for num_rows in (1, 3):  # of which 3 are enough to add the codebooks up in pairs first
        assert (sum_codewords(small, jnp.zeros((num_rows, 64), int)) == 1.125).all()


@BOTH
def test_wrong_use_is_one_line(kind):
    codes = make_codes()
    ours = layer(kind, codes)
    name = "NNXCodesEmbed" if kind == "nnx" else "CodesEmbed"
    for call, message in (
        (
            lambda: layer(kind, codes.codes),
            f"^{name} got an object of type ndarray; expected jaxcompress.Codes, as ",
        ),
        (lambda: ours.embed(jnp.ones(3)), "^ids are float32; expected integers"),
        (
            lambda: ours.attend(jnp.ones((2, 5))),
            r"^the query is \[2, 5\]; expected \[..., 6\]",
        ),
        (lambda: ours.attend(jnp.ones(())), r"^the query is \[\]; expected \[..., 6\]"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
