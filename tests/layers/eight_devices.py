"""Run by test_meshes.py on 8 devices: logits are split as those of the dense product."""

import re

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcompress import Codes
from jaxcompress.codes.attend import attend
from jaxcompress.layers import CodesEmbed

NUM_ROWS, DIM = 304, 6  # more rows than are taken at a time
rng = np.random.default_rng(0)
codes = rng.integers(0, 4, (NUM_ROWS, 3)).astype(np.uint8)
codebooks = rng.normal(size=(3, 4, DIM)).astype(np.float32)
one_hot = np.eye(4, dtype=np.float32)[codes]
table = np.einsum("vmk,mkd->vd", one_hot, codebooks)


def make_mesh(kind):
    return jax.make_mesh((4, 2), ("data", "model"), axis_types=(kind, kind))


def check_program(program):
    """Queries are gathered nowhere; sums over devices there may be."""
    found = re.findall("all-gather|all-to-all|collective-permute", program.as_text())
    assert not found, f"there is an {found[0]}"


def check_logits(kind, leading, spec, codes_spec=None):
    """Takes a query's leading dimensions, how they are split, and how the rows of codes are."""
    place = lambda x, *spec: jax.device_put(x, NamedSharding(make_mesh(kind), P(*spec)))
    query = rng.normal(size=(*leading, DIM)).astype(np.float32)
    arguments = place(query, *spec), place(codes, codes_spec), place(codebooks)
    program = jax.jit(attend).lower(*arguments).compile()
    check_program(program)
    logits = program(*arguments)
    np.testing.assert_allclose(logits, query @ table.T, atol=1e-4)
    expected = NamedSharding(make_mesh(kind), P(*spec, codes_spec))
    assert logits.sharding.is_equivalent_to(expected, logits.ndim), logits.sharding.spec
    # A part of the queries is 128 on each device; their partial products and sums are held.
    assert program.memory_analysis().temp_size_in_bytes < 4 * 4 * 128 * (NUM_ROWS + 12)


def check_gradients():
    place = lambda x, *spec: jax.device_put(x, NamedSharding(make_mesh(AxisType.Auto), P(*spec)))
    query = rng.normal(size=(2056, DIM)).astype(np.float32)
    weights = rng.normal(size=(2056, NUM_ROWS)).astype(np.float32)
    split = ("data", "model")

    def gradients(query, codebooks, weights):
        product = lambda query, codebooks: (weights * attend(query, codes, codebooks)).sum()
        return jax.grad(product, (0, 1))(query, codebooks)

    arguments = place(query, split), place(codebooks), place(weights, split)
    program = jax.jit(gradients).lower(*arguments).compile()
    check_program(program)
    d_query, d_codebooks = program(*arguments)
    np.testing.assert_allclose(d_query, weights @ table, atol=1e-3)
    expected = np.einsum("vmk,vd->mkd", one_hot, weights.T @ query)
    np.testing.assert_allclose(d_codebooks, expected, atol=1e-2)


def check_split_codes(kind):
    """Of a layer whose codes are split by rows, the codes of ids are sent, once, and no rows."""
    place = lambda x, *spec: jax.device_put(x, NamedSharding(make_mesh(kind), P(*spec)))
    layer, ids = CodesEmbed(Codes(codes, codebooks)), rng.integers(0, NUM_ROWS, 64)
    variables = layer.init(jax.random.key(0), ids)["codes"]
    split = ("data", "model")
    variables = {"codes": place(variables["codes"], split), "codebooks": place(codebooks)}
    program = jax.jit(layer.apply).lower({"codes": variables}, place(ids)).compile()
    found = re.findall(r"= (\S+)\[.* (all-[a-z-]+|collective-permute)\(", program.as_text())
    assert found == [("u8", "all-reduce")], found
    rows = program({"codes": variables}, place(ids))
    np.testing.assert_allclose(rows, table[ids], rtol=1e-6)
    query = rng.normal(size=(16, DIM)).astype(np.float32)
    attend = jax.jit(lambda *arguments: layer.apply(*arguments, method="attend"))
    program = attend.lower({"codes": variables}, place(query)).compile()
    assert not re.findall("all-|collective-permute", program.as_text())
    logits = program({"codes": variables}, place(query))
    assert logits.sharding.spec == P(None, split)
    np.testing.assert_allclose(logits, query @ table.T, atol=1e-4)


def main():
    assert jax.device_count() == 8
    check_logits(AxisType.Auto, (2056,), (("data", "model"),))  # more than 8 * 128 queries
    check_logits(AxisType.Auto, (8, 258), ("data", "model"))
    check_logits(AxisType.Auto, (1040,), ("data",), "model")
    check_logits(AxisType.Explicit, (8, 258), ("data", None), "model")
    check_gradients()
    check_split_codes(AxisType.Auto)
    check_split_codes(AxisType.Explicit)


if __name__ == "__main__":
    main()
