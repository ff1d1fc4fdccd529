"""The programs of the models: language models, ratings and the classifier."""

import jax
import numpy as np

from jaxcompress import Codes, ant, classifier, tying
from jaxcompress.ant import prepare as ratings
from jaxcompress.ant.published import published_config
from jaxcompress.ant.schedule import make_schedule
from jaxcompress.ant.starts import Start, max_anchors
from jaxcompress.classifier import feeds as texts
from jaxcompress.classifier import task as classify
from jaxcompress.data.ratings.batches import gather_ratings
from jaxcompress.data.text.lanes import gather_lanes
from jaxcompress.engine.loop import _after_eval, _evaluate_batch
from jaxcompress.tables import (
    TableConfig,
    anchor_table,
    dense_table,
    frozen_codes,
    frozen_vectors,
    hashed_table,
    low_rank_table,
    trained_codebooks,
)
from jaxcompress.tying.config import with_variant
from jaxcompress.tying.generate import draw_words
from jaxcompress.tying.tables import make_tables
from jaxcompress.tying.task import make_hidden_sums, make_optimizer, make_task

from .program import SEED, everywhere, map_batch, multiple, program, shape, state_of, train

LANES, UNROLL, PER_EPOCH = 20, 35, 1327  # of the language models of PTB
TOKENS = 1_085_000
USERS_ITEMS_RATINGS = {"1m": (6040, 3706, 1_000_209), "25m": (162_541, 59_047, 25_000_095)}


# Language models.


def _lm(size, variant, words=10_000, **more):
    config = with_variant(tying.ModelConfig(hidden_size=size, dropout=0.5, **more), variant)
    return config, make_task(config, words, PER_EPOCH)


def _lanes(lanes, unroll):
    masks = {"mask": shape(lanes, unroll, dtype=bool), "first": shape(lanes, dtype=bool)}
    return {"positions": shape(lanes, unroll + 1, dtype=np.int32), **masks}


def _train_lm(devices, size, variant, words=10_000, lanes=LANES, table=None, **more):
    lanes, (model, task) = multiple(lanes, devices), _lm(size, variant, words, **more)
    tx = make_optimizer(tying.OptimizerConfig(), PER_EPOCH)
    if table is not None:
        config = tying.Config(model=model, embedding=TableConfig(kind=table))
        names, tokens = [f"w{i}" for i in range(words)], np.zeros(TOKENS, np.int32)
        tables = make_tables(config, names, tokens, 60 * PER_EPOCH, PER_EPOCH)
        task = make_task(model, words, PER_EPOCH, tables=tables)
        tx = make_optimizer(config.optimizer, PER_EPOCH, {}, tables)
    index, stream = _lanes(lanes, UNROLL), shape(TOKENS, dtype=np.int32)
    return train(devices, task, tx, gather_lanes, stream, index, lanes, 20)


def _read_lm(devices, lanes, make=None):
    """Evaluates in so many lanes, or sums up what `make` says."""
    config, task = _lm(650, "real")
    function = _evaluate_batch(make(config, 10_000) if make else task.evaluate)
    index = _lanes(multiple(lanes, devices), 2048 // lanes)
    state = state_of(task, batch_size=multiple(lanes, devices))
    return map_batch(devices, function, state, gather_lanes, shape(TOKENS, dtype=np.int32), index)


def _draw(devices):
    config, task = _lm(650, "real")
    draw = jax.jit(lambda key, params, ids: draw_words(key, params, config, ids, 50, 0.8))
    return everywhere(devices, draw, SEED, state_of(task).params, shape(5, dtype=np.int32))


# Ratings.


def _ratings(method, data):
    """The task and the optimiser of a method, for a data set of a size."""
    users, items, count = USERS_ITEMS_RATINGS[data]
    config = published_config(method, num_parameters=40_000)
    per_epoch = int(0.8 * count) // config.batch_size
    schedule = make_schedule(config, round(config.num_epochs * per_epoch), per_epoch)
    rng, starts = np.random.default_rng(0), {}
    for side, rows in (("users", users), ("items", items)):
        counts = rng.zipf(1.5, rows).clip(1, 1000)
        has_anchors = config.model.table == "anchors"
        room = max_anchors(config, side) if has_anchors else config.model.latent_dim
        starts[side] = Start(counts, np.zeros(rows, np.int32), room, {})
    counts = {side: start.counts for side, start in starts.items()}
    model = ratings.make_model(config, counts, 3.5)
    task = ant.task.make_task(config, model, starts, schedule, {})
    return task, ant.task.make_optimizer(config, schedule, per_epoch, starts)


def _columns(data):
    count = USERS_ITEMS_RATINGS[data][2]
    sides = {side: shape(count, dtype=np.int32) for side in ("users", "items")}
    return {**sides, "values": shape(count)}


def _some(size):
    return {"ids": shape(size, dtype=np.int32), "mask": shape(size, dtype=bool)}


def _train_ratings(devices, method, data="1m", size=1024):
    task, tx = _ratings(method, data)
    return train(devices, task, tx, gather_ratings, _columns(data), _some(size), size, 100)


def _evaluate_ratings(devices, method="ant", data="25m"):
    task, _ = _ratings(method, data)
    function, state = _evaluate_batch(task.evaluate), state_of(task)
    return map_batch(devices, function, state, gather_ratings, _columns(data), _some(16_384))


def _adapt(devices, method, data="25m"):
    task, _ = _ratings(method, data)
    state, step = state_of(task), shape(dtype=np.int32)
    names = ("squared_error", "count", "nnz", "parameters", "users_anchors", "items_anchors")
    sums = {"valid": {name: shape() for name in names}}
    after_eval = _after_eval(task.after_eval)
    return everywhere(devices, after_eval, step, SEED, state.params, state.aux, sums)


# Texts.


def _word_table(kind, dim=300, rows=400_000):
    """A table of few words, and the shapes of the data of one of many."""
    rng, names = np.random.default_rng(0), [f"w{i}" for i in range(64)]
    learned = {
        "anchors": lambda names: anchor_table(names, 50, 100),
        "dense": lambda names: dense_table(names, 100),
        "low_rank": lambda names: low_rank_table(names, 16, 100),
        "hashed": lambda names: hashed_table(names, 1000, 100),
    }
    if kind in learned:
        table = learned[kind]([f"w{i}" for i in range(30_000)])
        return table, jax.tree.map(lambda x: shape(*x.shape, dtype=x.dtype), table.data)
    if kind == "vectors":
        return frozen_vectors(names, rng.normal(size=(64, dim)).astype(np.float32)), shape(
            rows, dim
        )
    codebooks = rng.normal(size=(32, 16, dim)).astype(np.float32)
    codes = Codes(rng.integers(0, 16, (64, 32)).astype(np.uint8), codebooks, names)
    many = shape(rows, 32, dtype=np.uint8)
    if kind == "codes":
        return frozen_codes(codes), {"codes": many, "codebooks": shape(*codebooks.shape)}
    return trained_codebooks(codes), many


def _texts(lanes, kind, network="lstm", time=400):
    table, data = _word_table(kind)
    config = classifier.ModelConfig(network=network)
    ids = {"positions": shape(lanes, time, dtype=np.int32)}
    labels = {name: shape(lanes, dtype=np.int32) for name in ("lengths", "labels")}
    index = {**ids, **labels, "mask": shape(lanes, dtype=bool)}
    placed = {"tokens": shape(5_800_000, dtype=np.int32), "table": data}
    task = classify.make_task(config, 2, table.embedding, table.dim)
    return table, task, placed, index


def _train_classifier(devices, kind, network="lstm", size=64):
    size = multiple(size, devices)
    table, task, data, index = _texts(size, kind, network)
    tx = classify.make_optimizer(classifier.OptimizerConfig(), 2000, table.embedding)
    return train(devices, task, tx, texts.make_gather(table), data, index, size, 1)


def _evaluate_classifier(devices, kind="codes", size=256):
    table, task, data, index = _texts(size, kind)
    function = _evaluate_batch(task.evaluate)
    return map_batch(devices, function, state_of(task), texts.make_gather(table), data, index)


def _lm_program(name, size, variant, lanes=LANES, **options):
    tokens = lanes * UNROLL
    return program(
        name, tokens, "tokens", _train_lm, size, variant, lanes=lanes, steps=20, **options
    )


def _ratings_program(name, method, data="1m", size=1024, **options):
    options["steps"] = 100
    return program(name, size, "ratings", _train_ratings, method, data, size, **options)


PROGRAMS = [
    _lm_program("tying.train.200.real", 200, "real"),
    _lm_program("tying.train.650", 650, "baseline"),
    _lm_program("tying.train.650.real", 650, "real", like="tying.train.200.real"),
    _lm_program("tying.train.650.re", 650, "re"),
    _lm_program("tying.train.1500.256", 1500, "baseline", lanes=256, like="tying.train.650"),
    _lm_program("tying.train.650.267k", 650, "real", words=267_000, like="tying.train.200.real"),
    _lm_program("tying.train.650.267k.teacher", 650, "real", words=267_000, teacher_gradient=True),
    *(
        _lm_program(f"tying.train.200.{table}", 200, "real", table=table)
        for table in ("low_rank", "hashed", "ant")
    ),
    program("tying.evaluate.10", 2040, "tokens", _read_lm, 10),
    program("tying.evaluate.1", 2048, "tokens", _read_lm, 1, like="tying.evaluate.10"),
    program("tying.hidden", 2040, "tokens", _read_lm, 10, make_hidden_sums),
    program("tying.generate", 50, "tokens", _draw),
    _ratings_program("ant.train.mf", "mf"),
    _ratings_program("ant.train.mixdim", "mixdim"),
    _ratings_program("ant.train.ant", "ant"),
    _ratings_program("ant.train.nbant", "nbant", like="ant.train.ant"),
    _ratings_program("ant.train.ncf", "ncf"),
    _ratings_program("ant.train.25m", "ant", "25m", like="ant.train.ant"),
    _ratings_program("ant.train.25m.16384", "ant", "25m", 16_384, like="ant.train.ant"),
    program("ant.evaluate.25m", 16_384, "ratings", _evaluate_ratings),
    program("ant.after_eval.25m", 1, "calls", _adapt, "ant"),
    program("ant.after_eval.nbant.25m", 1, "calls", _adapt, "nbant"),
    *(
        program(f"classifier.train.{kind}", 64, "texts", _train_classifier, kind, steps=1)
        for kind in ("codes", "vectors", "codebooks", "anchors", "dense", "low_rank", "hashed")
    ),
    program("classifier.train.mean", 64, "texts", _train_classifier, "dense", "mean", steps=1),
    program("classifier.evaluate.codes", 256, "texts", _evaluate_classifier),
]
