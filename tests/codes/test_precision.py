"""Products of refinement, encoding and search are exact where devices round them."""

import contextlib

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcompress
from jaxcompress.codes import encode, least_squares, measure, refine
from jaxcompress.codes.rows import make_table
from jaxcompress.dccl import RefineConfig


def make_codes(seed=0, num_rows=600, dim=12, shape=(6, 8)):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(num_rows, dim)).astype(np.float32)
    codebooks = (rng.normal(size=(*shape, dim)) / 2).astype(np.float32)
    codes = rng.integers(0, shape[1], (num_rows, shape[0])).astype(np.uint8)
    hidden = {"hidden.kernel": (dim, 9), "hidden.bias": (9,), "scores.kernel": (9, 48)}
    encoder = {name: rng.normal(size=size).astype(np.float32) for name, size in hidden.items()}
    encoder |= {"scores.bias": np.zeros(48, np.float32), "mean": np.zeros(dim, np.float32)}
    encoder |= {"scale": np.float32(1.0)}
    return jaxcompress.Codes(codes, codebooks, encoder=encoder), rows


def programs(num_codewords):
    """What refinement, encoding, search and measuring compile, with arguments to trace it."""
    codes, rows = make_codes(shape=(3, num_codewords))
    rows, codebooks = jnp.asarray(rows[:16]), jnp.asarray(codes.codebooks)
    zeros = jnp.zeros((16, 3), jnp.int32)
    batch = {"rows": rows, "codes": zeros, "fit": jnp.ones(16, bool), "mask": jnp.ones(16, bool)}
    batch["number"] = jnp.int32(0)
    weights = {**codes.encoder, "scores.kernel": np.zeros((9, 3 * num_codewords), np.float32)}
    weights["scores.bias"] = np.zeros(3 * num_codewords, np.float32)
    key, equations = jax.random.key(0), least_squares.zero_equations(codebooks)
    known = encode._decode(zeros, codebooks)
    yield least_squares.refine_batch(4), (codebooks, key), equations, batch
    yield refine._batch_error(None, is_of_rows=False), codebooks, batch
    yield measure._batch_errors, (codebooks, rows[0]), batch
    yield encode._decode, zeros, codebooks
    if equations:
        yield least_squares.fit_codebooks, equations, codebooks, 1.0

    def search(*arguments):
        return encode._encode_batch(*arguments, start=None, num_rounds=1, groups=None)

    yield search, key, rows, codebooks, weights, known


def _jaxprs_in(params):
    # Before jax 0.8 the function is at another place.
    core = jax.extend.core if hasattr(jax.extend.core, "jaxprs_in_params") else jax.core
    return core.jaxprs_in_params(params)


def products_of(jaxpr):
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation
        for inner in _jaxprs_in(equation.params):
            yield from products_of(inner)


@pytest.mark.parametrize("num_codewords", [8, 40, 3000])
def test_every_product_of_refinement_encoding_and_search_is_exact(num_codewords):
    found = []
    for function, *arguments in programs(num_codewords):
        products = list(products_of(jax.make_jaxpr(function)(*arguments).jaxpr))
        found.append(len(products))
        for product in products:
            assert set(product.params["precision"]) == {jax.lax.Precision.HIGHEST}, product
    assert sum(found) >= 6


@contextlib.contextmanager
def products_rounded_to_bfloat16():
    """Rounds the operands of products as a TPU does, unless they are said to be exact."""
    bind = jax.lax.dot_general_p.bind

    def rounded(*operands, **params):
        precision = params["precision"]
        if precision is None or set(precision) != {jax.lax.Precision.HIGHEST}:
            operands = [jax.lax.reduce_precision(x, 8, 7) for x in operands]
        return bind(*operands, **params)

    jax.clear_caches()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax.lax.dot_general_p, "bind", rounded)
        yield
    jax.clear_caches()


def refined_and_encoded(codes, rows):
    table = make_table(rows)
    refined = refine.refine_codes(table, codes, RefineConfig(num_rounds=8)).codes
    error = measure.code_errors(table, refined)["all"]["mean_squared_l2"]
    return error, refined.encode(rows[:64], num_rounds=1)


def test_errors_are_the_same_where_other_products_are_rounded():
    codes, rows = make_codes()
    error, encoded = refined_and_encoded(codes, rows)
    with products_rounded_to_bfloat16():
        assert jnp.dot(jnp.array([1.001]), jnp.array([1.0])) == 1.0  # others are
        other_error, other_encoded = refined_and_encoded(codes, rows)
    assert other_error == pytest.approx(error, rel=1e-6)
    np.testing.assert_array_equal(encoded, other_encoded)


def test_refinement_gives_back_the_best_codes_that_it_has_seen(monkeypatch, tmp_path):
    codes, rows = make_codes()
    table, solve, calls = make_table(rows), refine.fit_codebooks, []

    def diverges_in_round_4(*arguments):
        calls.append(0)
        return solve(*arguments) * (1e3 if len(calls) == 4 else 1.0)

    good = refine.refine_codes(table, codes, RefineConfig(num_rounds=5)).codes
    monkeypatch.setattr(refine, "relaxation_of", lambda number, num_rounds: 1.0)
    three = refine.refine_codes(table, codes, RefineConfig(num_rounds=3)).codes
    monkeypatch.setattr(refine, "fit_codebooks", diverges_in_round_4)
    for workdir in (None, tmp_path):
        calls.clear()
        config = RefineConfig(num_rounds=4)
        found = refine.refine_codes(table, codes, config, workdir=workdir).codes
        np.testing.assert_array_equal(found.codes, three.codes)
        np.testing.assert_array_equal(found.codebooks, three.codebooks)
    # A run that goes on from the bad round knows the good one from its folder.
    monkeypatch.setattr(refine, "search", lambda *arguments: (arguments[2], ()))
    again = refine.refine_codes(table, codes, RefineConfig(num_rounds=6), workdir=tmp_path).codes
    np.testing.assert_array_equal(again.codes, three.codes)
    # What was given is given back if no round is better.
    monkeypatch.undo()
    monkeypatch.setattr(refine, "fit_codebooks", lambda *arguments: solve(*arguments) * jnp.nan)
    found = refine.refine_codes(table, good, RefineConfig(num_rounds=2)).codes
    np.testing.assert_array_equal(found.codes, good.codes)
    np.testing.assert_array_equal(found.codebooks, good.codebooks)
