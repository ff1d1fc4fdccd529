"""Codebooks in groups: layout, search and least squares in slices, and whole tables of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress import Codes, InputError, layers
from jaxcompress.codes import grouped
from jaxcompress.codes.config import RefineConfig
from jaxcompress.codes.decode import lookup, sum_codewords
from jaxcompress.codes.extend import add_layer, refine_with_groups
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.least_squares import fit_codebooks, refine_batch, zero_equations
from jaxcompress.codes.noise import noise_scale
from jaxcompress.codes.refine import FOLDER, refine_codes
from jaxcompress.codes.rows import make_table
from jaxcompress.codes.search import squared_errors

LAYOUTS = [Groups(3, 2), Groups(0, 3), Groups(6, 1)]


def codebooks_of(groups, each=2, num_codewords=4, dim=12, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(groups.num_shared, num_codewords, dim))
    slices = (groups.num_groups, each, num_codewords, dim // groups.num_groups)
    return groups.join(shared, rng.normal(size=slices)).astype(np.float32)


def problem(groups, num_rows=200):
    rng = np.random.default_rng(1)
    codebooks = codebooks_of(groups)
    rows = (rng.normal(size=(num_rows, 5)) @ rng.normal(size=(5, 12))).astype(np.float32)
    return rows, rng.integers(0, 4, (num_rows, len(codebooks))).astype(np.uint8), codebooks


@pytest.mark.parametrize("groups", LAYOUTS)
def test_codebooks_come_apart_and_together(groups):
    codebooks = codebooks_of(groups)
    for xp in (np, jnp):
        shared, slices = groups.split(xp.asarray(codebooks))
        assert slices.shape == (groups.num_groups, 2, 4, 12 // groups.num_groups)
        np.testing.assert_array_equal(groups.join(shared, slices), codebooks)
    sliced = grouped.as_slices(jnp.asarray(codebooks), groups)
    np.testing.assert_array_equal(grouped.from_slices(sliced, groups), codebooks)


@pytest.mark.parametrize("groups", LAYOUTS)
def test_rows_are_those_of_the_whole_codebooks(groups):
    _, codes, codebooks = problem(groups)
    expected = sum(codebooks[m, codes[:, m]] for m in range(len(codebooks)))
    found = sum_codewords(jnp.asarray(codebooks), jnp.asarray(codes), groups)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    ids = jnp.array([[3, 0], [199, 7]])
    np.testing.assert_allclose(
        lookup(jnp.asarray(codes), jnp.asarray(codebooks), ids, groups),
        expected[np.asarray(ids)],
        atol=1e-5,
    )


@pytest.mark.parametrize("groups", LAYOUTS)
def test_no_row_gets_worse_and_the_codebooks_are_those_of_least_squares(groups):
    rows, codes, codebooks = problem(groups)
    before = squared_errors(rows, codes, codebooks, groups)
    batch = {"rows": jnp.asarray(rows), "codes": jnp.asarray(codes), "fit": jnp.ones(200)}
    start = zero_equations(codebooks, groups, parts=4)
    state = jnp.asarray(codebooks), jax.random.key(0)
    equations, found = jax.jit(refine_batch(20, groups))(state, start, {**batch, "number": 0})
    after = squared_errors(rows, found, codebooks, groups)
    assert found.dtype == codes.dtype
    assert (after <= before + 1e-4).all()
    assert after.sum() < 0.7 * before.sum()
    solved = fit_codebooks(equations, jnp.asarray(codebooks), 1.0, groups)
    assert (np.asarray(solved)[codebooks == 0] == 0).all()
    # Each slice of the dimensions by NumPy: one-hot codes of the codebooks that are not 0 there.
    best, found = 0.0, np.asarray(found)
    for g, part in enumerate(np.split(rows, groups.num_groups, axis=1)):
        own = np.r_[: groups.num_shared, groups.num_shared + 2 * g : groups.num_shared + 2 * g + 2]
        one_hot = np.eye(4)[found[:, own]].reshape(200, -1)
        solution = np.linalg.lstsq(one_hot, part.astype(np.float64), rcond=None)[0]
        best += ((one_hot @ solution - part) ** 2).sum()
    error = squared_errors(rows, found, solved, groups).sum()
    np.testing.assert_allclose(error, best, rtol=1e-3)


def test_noise_raises_the_error_by_a_tenth_and_stays_in_the_slices():
    groups = Groups(2, 3)
    codebooks = jnp.asarray(codebooks_of(groups)) + 7.0 * jnp.ones(12)
    scale = np.asarray(noise_scale(codebooks, 2.0, groups))
    assert scale.shape == (8, 1, 12)
    np.testing.assert_allclose(np.square(scale).sum(), 0.2, rtol=1e-5)
    np.testing.assert_array_equal(scale[:, 0] > 0, groups.spans(8, 12))
    np.testing.assert_array_equal(groups.spans(8, 12), codebooks_of(groups)[:, 0] != 0)


def test_refined_codes_keep_their_groups_and_get_better():
    groups = Groups(3, 2)
    rows, codes, codebooks = problem(groups, num_rows=300)
    table = Codes(codes, codebooks, groups=groups)
    refined = refine_codes(make_table(rows), table, RefineConfig(num_rounds=6)).codes
    assert refined.groups == groups
    shared, slices = groups.split(refined.codebooks)
    np.testing.assert_array_equal(groups.join(shared, slices), refined.codebooks)
    before, after = (np.square(rows - t.decode()).sum() for t in (table, refined))
    assert after < 0.2 * before


@pytest.mark.parametrize("groups", [Groups(9, 1), Groups(-1, 2), Groups(2, 5), Groups(3, 4)])
def test_a_layout_that_does_not_fit_is_refused(groups):
    with pytest.raises(InputError, match="must divide 12 dimensions"):
        Codes(np.zeros((5, 8), np.uint8), np.zeros((8, 4, 12)), groups=groups)


@pytest.mark.slow  # the run in tests/dccl/test_target.py has layers too
def test_layers_code_what_those_before_them_left(tmp_path):
    rows = np.random.default_rng(0).normal(size=(400, 12)).astype(np.float32)
    table = make_table(rows)
    rng = np.random.default_rng(1)
    codes = Codes(rng.integers(0, 4, (400, 3)).astype(np.uint8), rng.normal(size=(3, 4, 12)))
    config = RefineConfig(num_rounds=6)
    plain = refine_codes(table, codes, config).codes
    found = refine_with_groups(table, codes, config, 3, 3, workdir=tmp_path).codes
    assert found.groups == Groups(3, 3)
    assert found.num_codebooks == 3 + 3 * 3
    errors = [np.square(rows - t.decode()).sum() / len(rows) for t in (plain, found)]
    assert errors[0] < 8
    assert errors[1] < 3  # 6 bits more for each 4 dimensions: 12 * 4 ** -1.5 at best, and a fit
    labels = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
    assert labels == ["codes", "codes-layer1", "codes-shared"]


def test_groups_that_begin_at_random_leave_shared_codes_what_they_tell():
    rng = np.random.default_rng(5)
    common = rng.normal(size=(1500, 4)) @ rng.normal(size=(4, 16))
    rows = (common + rng.normal(size=(1500, 16))).astype(np.float32)
    table, num_shared = make_table(rows), 6
    start = rng.integers(0, 4, (1500, num_shared)).astype(np.uint8)
    codebooks = (rows[rng.integers(1500, size=(num_shared, 4))] / 2).astype(np.float32)
    codes = refine_codes(table, Codes(start, codebooks), RefineConfig(num_rounds=20)).codes

    def variance_left(codes):
        shared = [codes.codebooks[m, codes.codes[:, m]] for m in range(num_shared)]
        return (rows - sum(shared)).var(axis=0).sum()

    whole = refine_with_groups(table, codes, RefineConfig(num_rounds=20), 4, 4).codes
    assert variance_left(whole) < 1.1 * variance_left(codes)


def a_table(groups=LAYOUTS[0]):
    _, codes, codebooks = problem(groups)
    return Codes(codes, codebooks, groups=groups)


@pytest.mark.parametrize("groups", LAYOUTS)
def test_all_ways_to_a_row_agree(groups):
    table = a_table(groups)
    expected = sum(table.codebooks[m, table.codes[:, m]] for m in range(table.num_codebooks))
    np.testing.assert_allclose(table.decode(), expected, atol=1e-5)
    np.testing.assert_allclose(table.lookup(np.arange(200)), expected, atol=1e-5)
    name, cosine = table.nearest(5, count=1)[0]
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    products = unit @ unit[5]
    products[5] = -1
    assert int(name) == products.argmax()
    np.testing.assert_allclose(cosine, products.max(), atol=1e-5)


@pytest.mark.parametrize("groups", LAYOUTS[:2])
def test_layers_embed_attend_and_train_inside_of_the_slices(groups):
    table, ids = a_table(groups), jnp.array([3, 7])
    layer = layers.CodesEmbed(table, trainable=True)
    variables = layer.init(jax.random.key(0), ids)
    query = jnp.asarray(np.random.default_rng(2).normal(size=(2, 12)), jnp.float32)

    def loss(params):
        own = {**variables, "params": params}
        logits = layer.apply(own, query, method="attend")
        return jnp.square(logits).sum() + jnp.square(layer.apply(own, ids) - 1).sum()

    expected = np.asarray(query) @ table.decode().T
    logits = layer.apply(variables, query, method="attend")
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.apply(variables, ids), table.decode([3, 7]), atol=1e-5)
    gradient = np.asarray(jax.grad(loss)(variables["params"])["codebooks"])
    spans = groups.spans(table.num_codebooks, 12)
    assert (gradient[~np.broadcast_to(spans[:, None], gradient.shape)] == 0).all()
    assert np.abs(gradient).sum(axis=(1, 2)).min() > 0


def test_new_rows_are_encoded_and_appended():
    groups = LAYOUTS[0]
    rows, codes, codebooks = problem(groups, num_rows=300)
    table = refine_codes(make_table(rows), Codes(codes, codebooks, groups=groups),
                         RefineConfig(num_rounds=6)).codes  # fmt: skip
    error = np.square(rows - table.decode()).sum(axis=1).mean()
    found = Codes(table.encode(rows, num_rounds=4), table.codebooks, groups=groups)
    assert np.square(rows - found.decode()).sum(axis=1).mean() < 1.2 * error
    longer = table.append(None, rows[:3])
    assert len(longer.codes) == 303
    assert longer.codes.groups == groups


def test_a_layer_begins_without_the_rows_that_are_held_out():
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    rows[40:] += 1000
    table = make_table(rows)._replace(held_out=np.arange(40, 60))
    codes = Codes(np.zeros((60, 1), np.uint8), np.zeros((1, 4, 4)))
    longer = add_layer(table, codes, num_groups=2, per_group=3)
    assert longer.num_codebooks == 1 + 2 * 3
    assert np.abs(longer.codebooks).max() < 10
