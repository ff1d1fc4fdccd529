"""The programs of tables of vectors: DCCL, refinement, encoding, lookups and logits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress import dccl
from jaxcompress.codes import (
    decode,
    encode,
    finish,
    least_squares,
    measure,
    noise,
    placed,
    refine,
    search,
)
from jaxcompress.codes.attend import attend
from jaxcompress.codes.groups import Groups
from jaxcompress.data.batches import gather_rows
from jaxcompress.dccl.export import _encode_batch
from jaxcompress.dccl.task import RowStatistics, make_optimizer, make_task
from jaxcompress.engine.loop import _after_eval, _evaluate_batch
from jaxcompress.engine.mapper import make_mapper
from jaxcompress.layers.anchor_embedding import logits_of, rows_of
from jaxcompress.layers.embedding import embed

from .program import (
    SEED,
    Call,
    everywhere,
    init_program,
    map_batch,
    program,
    shape,
    state_of,
    train,
)

V, D, M, K = 400_000, 300, 32, 16  # rows and dimensions of GloVe; codes of 16 bytes
STEPS = 20
CODES, CODEBOOKS = shape(V, M, dtype=np.uint8), shape(M, K, D)
WORDS = 30_000  # rows of a language model's table


def _index(size, dim=None, **more):
    """The shapes of an index: of ids, or of rows if there is a `dim`."""
    rows = {"ids": shape(size, dtype=np.int32)} if dim is None else {"rows": shape(size, dim)}
    return {**rows, "mask": shape(size, dtype=bool), **more}


def _task(dim=D, **model):
    statistics = RowStatistics(np.zeros(dim, np.float32), 1.0)
    return make_task(dccl.ModelConfig(**model), statistics, 10_000)


def _tx():
    return make_optimizer(dccl.OptimizerConfig(), 10_000)


def _train(devices, size=512, stream=False, weighted=False, **model):
    more = {"weights": shape(size)} if weighted else {}
    data = () if stream else shape(V, D)
    index = _index(size, D if stream else None, **more)
    return train(devices, _task(**model), _tx(), gather_rows, data, index, size, STEPS)


def _evaluate(devices, size=16_384):
    task = _task()
    function = _evaluate_batch(task.evaluate)
    return map_batch(devices, function, state_of(task), gather_rows, shape(V, D), _index(size))


def _encode(devices, size=16_384):
    return _recode(devices, _encode_batch, lambda parts: (), state_of(_task()), size=size)


def _after_evaluation(devices):
    task = _task()
    state, sums = state_of(task), {"sample": {"usage": shape(M, K)}}
    step = shape(dtype=np.int32)
    return everywhere(
        devices, _after_eval(task.after_eval), step, SEED, state.params, state.aux, sums
    )


def _equations(codebooks, groups, parts):
    zeros = least_squares.zero_equations(codebooks, groups, parts)
    return jax.tree.map(lambda x: shape(*x.shape), zeros)


def _recode(devices, function, make_carry, state, num_codebooks=M, size=16_384, **more):
    """As `placed.recode` calls it; the carry is made for so many devices, and split over them."""
    mapper = make_mapper(gather_rows, devices)
    carry = mapper.place(make_carry(len(devices)), mapper.split)
    held = mapper.place(shape(V, num_codebooks, dtype=np.uint8)), carry
    program = mapper.compile_update(placed._recode_batch(function, size), held)
    others = mapper.place((state, shape(dtype=np.int32))), mapper.place_data(shape(V, D))
    return Call(program, (held, *others, mapper.place_batch(_index(size, **_fit(size), **more))))


def _fit(size):
    return {"fit": shape(size, dtype=bool)}


def _refine(devices, num_codebooks=M, num_codewords=K, groups=None, weighted=False):
    step = least_squares.refine_batch(search.default_search_steps(num_codebooks), groups)
    codebooks, more = shape(num_codebooks, num_codewords, D), {}
    if weighted:
        more["weights"] = shape(16_384)
    make_equations = functools.partial(_equations, codebooks, groups)
    return _recode(devices, step, make_equations, (codebooks, SEED), num_codebooks, **more)


def _search(devices):
    step = finish._search_batch(search.default_search_steps(M), None)
    return _recode(devices, step, lambda parts: (), (CODEBOOKS, SEED))


def _solve(devices, num_codebooks=M, num_codewords=K, groups=None):
    codebooks = shape(num_codebooks, num_codewords, D)
    equations = _equations(codebooks, groups, len(devices))
    fit, options = least_squares.fit_codebooks, {} if groups is None else {"groups": groups}
    call = everywhere(devices, fit, equations, codebooks, shape(), **options)
    mapper = make_mapper(gather_rows, devices)
    return call._replace(arguments=(mapper.place(equations, mapper.split), *call.arguments[1:]))


def _measure(devices, function, state, size=16_384):
    """As `placed.map_codes` calls it."""
    run = placed._map_batch(function, size)
    with_codes = state, CODES, shape(dtype=np.int32)
    return map_batch(devices, run, with_codes, gather_rows, shape(V, D), _index(size, **_fit(size)))


def _error(devices):
    return _measure(devices, refine._batch_error(None, is_of_rows=len(devices) > 1), CODEBOOKS)


def _encode_new(devices, size=4096, groups=None):
    encoder = {
        "hidden.kernel": shape(D, M * K // 2),
        "hidden.bias": shape(M * K // 2),
        "scores.kernel": shape(M * K // 2, M * K),
        "scores.bias": shape(M * K),
        "mean": shape(D),
        "scale": shape(),
    }
    known = jax.eval_shape(encode._decode, shape(50_000, M, dtype=np.uint8), CODEBOOKS)
    arguments = SEED, shape(size, D), CODEBOOKS, encoder, known, None
    return everywhere(devices, encode._encode_batch, *arguments, num_rounds=16, groups=groups)


def _lookup(devices, size):
    """As `Codes.lookup` calls it: in pairs, or as a TPU has it."""
    codes, codebooks = np.zeros((1, M), np.uint8), np.zeros((M, K, 1), np.float32)
    if devices[0].platform != "tpu":
        codes, codebooks = decode.pair_up(codes, codebooks)
    codes = decode.fill_codes(codes, devices[0].platform)
    arrays = shape(V, codes.shape[1], dtype=np.uint8), shape(*codebooks.shape[:2], D)
    return everywhere(devices, decode.lookup, *arrays, shape(size, dtype=np.int32))


def _embed_gradient(devices, size=4096, groups=None):
    def loss(codes, codebooks, ids, weights):
        return jnp.vdot(embed(codes, codebooks, ids, None, groups), weights)

    ids = shape(size, dtype=np.int32)
    return everywhere(devices, jax.grad(loss, 1), CODES, CODEBOOKS, ids, shape(size, D))


_SCALE, _ONE = shape(M, 1, D), shape()  # of the noise
_LOGITS = shape(WORDS, M, dtype=np.uint8), CODEBOOKS


def _attend(devices, queries):
    return everywhere(devices, attend, shape(queries, D), *_LOGITS)


def _attend_gradient(devices, queries=700):
    def loss(query, codes, codebooks, weights):
        return jnp.vdot(attend(query, codes, codebooks), weights)

    weights = shape(queries, WORDS)
    return everywhere(devices, jax.grad(loss, (0, 2)), shape(queries, D), *_LOGITS, weights)


def _anchors_gradient(devices, size=4096, num_anchors=50):
    """Of rows of a sparse mix of anchors, and of logits of all of them."""

    def loss(params, active, ids, query, weights):
        rows = rows_of(ids, *params, active, None)
        logits = logits_of(query, *params, active)
        return jnp.vdot(rows, weights) + logits.sum()

    params = shape(WORDS, num_anchors), shape(num_anchors, D)
    ids, active = shape(size, dtype=np.int32), shape(num_anchors, dtype=bool)
    query, weights = shape(700, D), shape(size, D)
    return everywhere(devices, jax.grad(loss), params, active, ids, query, weights)


_GROUPS = {"groups": Groups(num_shared=8, num_groups=4)}
_AGAIN = {"num_codebooks": 16, "num_codewords": 256}  # the same bytes a row, more codewords
_LARGE = {"num_codebooks": M, "num_codewords": 256}  # M*K = 8,192, the most that are solved
_VISITED = {"num_codebooks": 64, "num_codewords": 256}  # more: coordinate search
PROGRAMS = [
    program("dccl.init", 1, "calls", init_program, _task, _tx),
    program("dccl.train", 512, "rows", _train, steps=STEPS),
    program("dccl.train.8192", 8192, "rows", _train, 8192, steps=STEPS, like="dccl.train"),
    program("dccl.train.stream", 512, "rows", _train, stream=True, steps=STEPS),
    program("dccl.train.weights", 512, "rows", _train, weighted=True, steps=STEPS),
    program("dccl.train.16x256", 512, "rows", _train, **_AGAIN, steps=STEPS, like="dccl.train"),
    program("dccl.evaluate", 16_384, "rows", _evaluate),
    program("dccl.after_eval", 1, "calls", _after_evaluation),
    program("dccl.encode", 16_384, "rows", _encode),
    program("refine", 16_384, "rows", _refine),
    program("refine.16x256", 16_384, "rows", _refine, **_AGAIN),
    program("refine.64x256", 16_384, "rows", _refine, **_VISITED),
    program("refine.groups", 16_384, "rows", _refine, **_GROUPS),
    program("refine.weights", 16_384, "rows", _refine, weighted=True),
    program("refine.solve", 1, "calls", _solve),
    program("refine.solve.groups", 1, "calls", _solve, **_GROUPS),
    program("refine.solve.8192", 1, "calls", _solve, **_LARGE),
    program("refine.noise", 1, "calls", everywhere, noise.add_noise, SEED, CODEBOOKS, _SCALE, _ONE),
    program("refine.error", 16_384, "rows", _error),
    program("finish.search", 16_384, "rows", _search),
    program("codes.errors", 16_384, "rows", _measure, measure._batch_errors, (CODEBOOKS, shape(D))),
    program("codes.encode", 4096, "rows", _encode_new),
    program("codes.encode.groups", 4096, "rows", _encode_new, **_GROUPS),
    program("lookup.4096", 4096, "rows", _lookup, 4096),
    program("lookup.65536", 65_536, "rows", _lookup, 65_536, like="lookup.4096"),
    program("embed.gradient", 4096, "rows", _embed_gradient),
    program("embed.gradient.groups", 4096, "rows", _embed_gradient, **_GROUPS),
    program("anchors.gradient", 4096, "rows", _anchors_gradient),
    program("attend.700", 700, "queries", _attend, 700),
    program("attend.1", 1, "queries", _attend, 1, like="attend.700"),
    program("attend.gradient", 700, "queries", _attend_gradient),
]
