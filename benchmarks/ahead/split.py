"""The programs of a table that is split by rows over all devices, at any size."""

import functools

import jax
import numpy as np

from jaxcompress import dccl
from jaxcompress.codes import least_squares, placed, refine
from jaxcompress.codes.attend import attend
from jaxcompress.codes.decode import lookup
from jaxcompress.data.batches import gather_rows
from jaxcompress.data.row_shards import RowShards
from jaxcompress.dccl.export import _encode_batch
from jaxcompress.dccl.task import RowStatistics, make_optimizer, make_task
from jaxcompress.engine.mapper import gather_of_shards, make_mapper
from jaxcompress.engine.placement import add_up_parts, place_shards

from .program import SEED, Call, program, shape, state_of, train

SHARDS, PARTS, BATCH, M, K, STEPS = 64, 32, 8192, 32, 16, 20
ALL = 16 * BATCH  # rows at a time of what goes over all of them
QUERIES, IDS = 4, 65_536


def _task(dim):
    statistics = RowStatistics(np.zeros(dim, np.float32), 1.0)
    return make_task(dccl.ModelConfig(), statistics, 10_000)


def _index(size, **more):
    index = {"ids": shape(size, dtype=np.int32), "mask": shape(size, dtype=bool)}
    return {**index, **more}


def _place(devices, num_rows, *others, dtype=np.float32):
    """A mapper, and the shape of an array [num_rows, ...] split over its devices."""
    mapper = make_mapper(gather_of_shards(gather_rows), devices)
    whole, shards = shape(num_rows, *others, dtype=dtype), RowShards(num_rows, SHARDS)
    return mapper, place_shards(whole, shards, mapper.split)


def _train(devices, num_rows, dim):
    rows = _place(devices, num_rows, dim)[1]
    tx = make_optimizer(dccl.OptimizerConfig(), 1000)
    gather = gather_of_shards(gather_rows)
    call = train(devices, _task(dim), tx, gather, (), _index(BATCH), BATCH, STEPS)
    state, _, *others = call.arguments
    return call._replace(arguments=(state, rows, *others))


def _recode(devices, num_rows, dim, function, carry, state):
    mapper, rows = _place(devices, num_rows, dim)
    codes = _place(devices, num_rows, M, dtype=np.uint8)[1]
    held = codes, mapper.place(carry, mapper.split)
    run = mapper.compile_update(placed._recode_batch(function, ALL // SHARDS), held)
    index = mapper.place_batch(_index(ALL, fit=shape(ALL, dtype=bool)))
    return Call(run, (held, mapper.place((state, shape(dtype=np.int32))), rows, index))


def _encode(devices, num_rows, dim):
    return _recode(devices, num_rows, dim, _encode_batch, (), state_of(_task(dim)))


def _equations(dim):
    zeros = least_squares.zero_equations(shape(M, K, dim), parts=PARTS)
    return jax.tree.map(lambda x: shape(*x.shape), zeros)


def _refine(devices, num_rows, dim):
    step, state = least_squares.refine_batch(3 * M), (shape(M, K, dim), SEED)
    return _recode(devices, num_rows, dim, step, _equations(dim), state)


def _sums(devices, num_rows, dim):
    split = make_mapper(gather_rows, devices).split
    parts = make_mapper(gather_rows, devices).place(_equations(dim), split)
    return Call(add_up_parts, (parts,), {"split": split})


def _error(devices, num_rows, dim):
    mapper, rows = _place(devices, num_rows, dim)
    codes = _place(devices, num_rows, M, dtype=np.uint8)[1]
    run = placed._map_batch(refine._batch_error(None, is_of_rows=True), ALL // SHARDS)
    codebooks, number = mapper.place((shape(M, K, dim), shape(dtype=np.int32)))
    index = mapper.place_batch(_index(ALL, fit=shape(ALL, dtype=bool)))
    return Call(mapper.compile(run), ((codebooks, codes, number), rows, index))


def _flat(devices, num_rows):
    """Codes [V, M] of a layer, split by rows; V is filled up."""
    mapper = make_mapper(gather_rows, devices)
    length = -(-num_rows // len(devices)) * len(devices)
    flat = jax.ShapeDtypeStruct((length, M), np.uint8, sharding=mapper.split)
    return mapper, flat


def _lookup(devices, num_rows, dim):
    mapper, codes = _flat(devices, num_rows)
    codebooks, ids = mapper.place((shape(M, K, dim), shape(IDS, dtype=np.int32)))
    return Call(lookup, (codes, codebooks, ids))


def _attend(devices, num_rows, dim):
    mapper, codes = _flat(devices, num_rows)
    query, codebooks = mapper.place((shape(QUERIES, dim), shape(M, K, dim)))
    return Call(attend, (query, codes, codebooks))


def programs(num_rows: int, dim: int) -> list:
    """Lists the programs of a table of so many rows and dimensions."""
    of_size = functools.partial(program, num_rows=num_rows, dim=dim)
    return [
        of_size("split.train", BATCH, "rows", _train, steps=STEPS),
        of_size("split.encode", ALL, "rows", _encode),
        of_size("split.refine", ALL, "rows", _refine),
        of_size("split.sums", 1, "calls", _sums),
        of_size("split.error", ALL, "rows", _error),
        of_size("split.lookup", IDS, "rows", _lookup),
        of_size("split.attend", QUERIES, "queries", _attend),
    ]


PROGRAMS = programs(400_000, 300)
