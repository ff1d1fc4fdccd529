"""Run by test_split.py where libtpu is: tables that no chip could hold are compiled for 16 chips.

    python tests/dccl/split_on_tpu.py V D

Prints what each program takes on a chip, and fails if it does not fit, copies a part of the table
or sends rows. Nothing is run: a TPU need not be there.
"""

import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies

from jaxcompress.codes.attend import attend
from jaxcompress.codes.decode import lookup
from jaxcompress.codes.least_squares import refine_batch, zero_equations
from jaxcompress.codes.placed import _recode_batch
from jaxcompress.data.batches import gather_rows
from jaxcompress.data.row_shards import RowShards
from jaxcompress.dccl.config import ModelConfig, OptimizerConfig
from jaxcompress.dccl.export import _encode_batch
from jaxcompress.dccl.task import RowStatistics, make_optimizer, make_task
from jaxcompress.engine.mapper import gather_of_shards
from jaxcompress.engine.placement import place_shards
from jaxcompress.engine.steps import make_engine
from jaxcompress.engine.task import TrainState

MEMORY = 16e9  # bytes of a chip of v5e
SHARDS, BATCH, M, K = 64, 8192, 32, 16
Shape = jax.ShapeDtypeStruct


def shapes_of(function, *arguments):
    return jax.eval_shape(function, *arguments)


def programs(num_rows, dim):
    """Yields name and lowered program of each step of a run."""
    devices = topologies.get_topology_desc(platform="tpu", topology_name="v5e:4x4").devices
    statistics = RowStatistics(np.zeros(dim, np.float32), 1.0)
    task, tx = make_task(ModelConfig(), statistics, 10_000), make_optimizer(OptimizerConfig(), 1000)
    engine = make_engine("jit", BATCH, task, tx, gather_of_shards(gather_rows), devices)
    mapper, shards = engine.mapper, RowShards(num_rows, SHARDS)

    def init():
        params, aux = task.init(jax.random.key(0))
        return TrainState(jnp.int32(0), params, tx.init(params), aux, ())

    state = engine.place_state(shapes_of(init))
    rows = place_shards(Shape((num_rows, dim), np.float32), shards, mapper.split)
    codes = place_shards(Shape((num_rows, M), np.uint8), shards, mapper.split)
    index = {"ids": Shape((20, BATCH), np.int32), "mask": Shape((20, BATCH), bool)}
    key = mapper.place(shapes_of(lambda: jax.random.key(0)))
    yield "train", engine.step.lower(state, rows, engine.place_index(index), key)
    size = 16 * BATCH
    index = {"ids": (size,), "mask": (size,), "fit": (size,)}
    index = {n: Shape(s, np.int32 if n == "ids" else bool) for n, s in index.items()}
    index, number = mapper.place_batch(index), mapper.place(Shape((), np.int32))

    def update(function, carry, state):
        run, held = _recode_batch(function, size // SHARDS), (codes, carry)
        return mapper.compile_update(run, held).lower(held, (state, number), rows, index)

    yield "encode", update(_encode_batch, (), state.replace(opt_state=()))
    codebooks = mapper.place(Shape((M, K, dim), np.float32))
    equations = shapes_of(lambda: jax.tree.map(jnp.asarray, zero_equations(codebooks, None, 16)))
    equations = mapper.place(equations, mapper.split)
    yield "refine", update(refine_batch(3 * M), equations, (codebooks, key))
    flat = Shape((SHARDS * shards.length, M), np.uint8, sharding=mapper.split)
    ids = mapper.place(Shape((65_536,), np.int32))
    yield "lookup", jax.jit(lookup).lower(flat, codebooks, ids)
    query = mapper.place(Shape((4, dim), np.float32))
    yield "attend", attend.lower(query, flat, codebooks)


def main():
    num_rows, dim = map(int, sys.argv[1:])
    table = 4 * num_rows * dim / 16
    for name, lowered in programs(num_rows, dim):
        compiled = lowered.compile()
        memory, text = compiled.memory_analysis(), compiled.as_text()
        used = memory.argument_size_in_bytes + memory.temp_size_in_bytes
        used += memory.output_size_in_bytes - memory.alias_size_in_bytes
        sent = re.findall(r" (all-gather|all-reduce|all-to-all|collective-permute)[-.(s]", text)
        found = {kind: sent.count(kind) for kind in set(sent)}
        temporary = memory.temp_size_in_bytes
        print(f"{name}: {used / 1e9:.2f} GB, temporary {temporary / 1e9:.3f}; {found}", flush=True)
        assert used < MEMORY, name
        assert sum(found.values()) == (name in ("train", "lookup")), name  # of gradients, of codes
        if name not in ("lookup", "attend"):
            assert temporary < 0.05 * table, name


if __name__ == "__main__":
    main()
