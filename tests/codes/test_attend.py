"""What CPUs and other devices run is the same but for its last digits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress.codes import attend_by_products, attend_by_tables, decode
from jaxcompress.codes.parts import cut, divide, in_parts

rng = np.random.default_rng(0)
M, K, D = 3, 5, 6
CODEBOOKS = rng.normal(size=(M, K, D)).astype(np.float32)


def make_codes(*shape):
    return rng.integers(0, K, (*shape, M)).astype(np.uint8)


@pytest.mark.parametrize("leading", [(), (7,), (2, 3)])
def test_products_and_tables_give_the_same_logits_and_gradients(leading):
    codes = make_codes(2 * attend_by_products._ROWS + 1)
    query = rng.normal(size=(*leading, D)).astype(np.float32)
    d_logits = rng.normal(size=(*leading, len(codes))).astype(np.float32)
    for name, arguments in (("multiply", ()), ("pull_back", (d_logits,))):
        found, expected = (
            jax.tree.leaves(jax.jit(getattr(form, name))(query, codes, CODEBOOKS, *arguments))
            for form in (attend_by_products, attend_by_tables)
        )
        for one, other in zip(found, expected, strict=True):
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_a_product_with_one_hot_codes_sums_codewords():
    codes = jnp.asarray(make_codes(2, 9), jnp.int32)
    expected = decode._sum_gathers(CODEBOOKS, codes)
    np.testing.assert_allclose(decode._sum_products(CODEBOOKS, codes), expected, atol=1e-5)


@pytest.mark.parametrize("overlapping", [False, True])
def test_parts_cover_all_rows(overlapping):
    parts = divide(jnp.arange(22.0)[:, None], 5, 2)

    def copy(copied, start, size):
        return jax.lax.dynamic_update_slice(copied, cut(parts, start, size), (*start, 0))

    copied = in_parts(copy, jnp.zeros_like(parts.array), parts, overlapping=overlapping)
    np.testing.assert_array_equal(copied, parts.array)


def test_codes_are_filled_up_for_a_tpu_and_looked_up_as_before():
    codes, ids = make_codes(20), np.array([3, 19])
    filled = decode.fill_codes(codes, "tpu")
    assert filled.shape == (20, 128)
    assert decode.fill_codes(codes, "cpu") is codes
    expected = decode.lookup(codes, CODEBOOKS, ids)
    np.testing.assert_array_equal(decode.lookup(filled, CODEBOOKS, ids), expected)
