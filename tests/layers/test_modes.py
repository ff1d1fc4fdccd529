"""Layers in a program whose author has set jax to be strict, wide or eager."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxcompress import Codes
from jaxcompress.layers import CodesEmbed, NNXCodesEmbed

MODES = {
    "x64": lambda: (jax if hasattr(jax, "enable_x64") else jax.experimental).enable_x64(True),
    "rank promotion": lambda: jax.numpy_rank_promotion("raise"),
    "type promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "transfers": lambda: jax.transfer_guard("disallow"),
    "no jit": lambda: jax.disable_jit(),
}
rng = np.random.default_rng(0)
CODES = Codes(rng.integers(0, 4, (300, 3)), rng.normal(size=(3, 4, 6)).astype(np.float32))
KEY = jax.random.key(0)
IDS = jnp.asarray(rng.integers(-310, 310, (3, 4)), jnp.int32)  # some are out of range
QUERY = jnp.asarray(rng.normal(size=(2, 70, 6)), jnp.float32)  # more than are taken at a time


def linen(**options):
    module = CodesEmbed(CODES, trainable=True, **options)
    variables = jax.jit(module.init)(KEY, IDS)  # since Flax transfers numbers while it initialises

    def calls(params):
        given = {**variables, "params": params}
        return module.apply(given, IDS), module.apply(given, QUERY, method="attend")

    def loss(params):
        rows, logits = calls(params)
        return jnp.nansum(rows) + jnp.square(logits).sum()

    return variables, calls(variables["params"]), jax.jit(jax.grad(loss))(variables["params"])


def with_nnx(**options):
    model = NNXCodesEmbed(CODES, trainable=True, **options)

    def loss(model):
        return jnp.nansum(model(IDS)) + jnp.square(model.attend(QUERY)).sum()

    return nnx.state(model), (model(IDS), model.attend(QUERY)), nnx.jit(nnx.grad(loss))(model)


@pytest.mark.parametrize("make", [linen, with_nnx])
@pytest.mark.parametrize("options", [{}, {"param_dtype": jnp.bfloat16, "dtype": jnp.float32}])
def test_types_and_values_do_not_depend_on_the_modes_of_jax(make, options):
    expected = jax.tree.leaves(make(**options))
    for name, mode in MODES.items():
        with mode():
            found = jax.tree.leaves(make(**options))
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.dtype, name
            np.testing.assert_allclose(
                np.asarray(one, np.float64),
                np.asarray(other, np.float64),
                rtol=1e-2 if one.dtype == jnp.bfloat16 else 1e-4,
                atol=1e-4,
                err_msg=name,
            )
