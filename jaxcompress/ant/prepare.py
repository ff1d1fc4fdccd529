"""From ratings and a config to a job for the loop: tables, phases, batches, first values."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import numpy as np
import scipy.cluster.vq

from jaxcompress.anchors.table import TRANSFORM_SCALE, AnchorTable
from jaxcompress.ant.baselines import DenseTable, NeuralFactorization, mixed_dimensions
from jaxcompress.ant.config import Config, ModelConfig
from jaxcompress.ant.model import SIDES, RatingModel, product
from jaxcompress.ant.schedule import make_schedule
from jaxcompress.ant.task import Start, make_optimizer, make_task
from jaxcompress.data.batches import Feed
from jaxcompress.data.paths import find_file
from jaxcompress.data.ratings import batches as ratings_batches
from jaxcompress.data.ratings.batches import first_parts, shuffled_windows
from jaxcompress.data.ratings.planted import PLANTED, planted_ratings
from jaxcompress.data.ratings.read import Ratings, read_ratings
from jaxcompress.engine.job import Job
from jaxcompress.engine.loop import fit
from jaxcompress.engine.steps import make_engine
from jaxcompress.errors import InputError

_EVAL_BATCH = 16_384  # ratings


_NEVER = np.iinfo(np.int32).max


_CLUSTER_EPOCHS = 3  # of the dense run whose rows are clustered


class Problem(NamedTuple):
    """Ratings and a config, made ready for the loop.

    Attributes:
        config: the run's.
        job: what the loop runs.
        model: tables and network.
        ratings: all of them.
        splits: positions of the ratings of each split.
        steps_per_epoch: of the training ratings; of a stream, of one window.
    """

    config: Config
    job: Job
    model: RatingModel
    ratings: Ratings
    splits: dict[str, np.ndarray]
    steps_per_epoch: int


def read(config: Config) -> Ratings:
    """Reads the ratings of a config, or makes them.

    Raises:
        InputError: with file, line, and what was expected.
    """
    data = config.data
    if data.path == PLANTED:
        return planted_ratings(data.planted_anchors, config.seed)
    return read_ratings(
        data.path,
        columns=data.columns,
        min_count=data.min_count,
        with_times=config.stream.window is not None,
    )


def prepare(ratings: Ratings, config: Config, say: Callable[[str], None] = print) -> Problem:
    """Makes tables, task, feeds and engine of ratings.

    Raises:
        InputError: where the ratings and the config do not fit.
    """
    plan = _make_plan(ratings, config)
    num_steps, per_part = plan.num_steps, plan.steps_per_part
    eval_every = per_part if config.stream.window else config.eval_every or per_part
    schedule = make_schedule(config, num_steps, eval_every)
    counts, starts = {}, {}
    for side, column, num_rows in columns(ratings):
        counts[side] = np.bincount(column[plan.splits["train"]], minlength=num_rows)
        first = first_parts(column, plan.parts, num_rows)
        first_steps = np.where(first < 0, _NEVER, first * per_part)
        starts[side] = _start(config, ratings, side, counts[side], first_steps, say)
    first_part = ratings.values[plan.parts[0]]  # of a stream, what is known at its start
    model = make_model(config, counts, float(first_part.mean()))
    task = make_task(config, model, starts, schedule)
    tx = make_optimizer(config, schedule, per_part, starts)
    engine = make_engine(config.parallel, config.batch_size, task, tx, plan.feed.gather)
    placed = {"users": ratings.users, "items": ratings.items, "values": ratings.values}
    finds_anchors = schedule.grown and schedule.grown >= num_steps
    job = Job(
        task=task,
        tx=tx,
        engine=engine,
        data=engine.place_data(placed),
        feed=plan.feed,
        evaluations={"valid": plan.valid},
        config=dataclasses.replace(config, eval_every=eval_every),
        num_steps=num_steps,
        best_metric="valid_objective" if finds_anchors else "valid_mse",
        best_from=num_steps if config.stream.window else schedule.best_from,
    )
    return Problem(config, job, model, ratings, plan.splits, per_part)


class _Plan(NamedTuple):
    """What is trained on and when, and what is tested on.

    Attributes:
        splits: positions of the ratings of each split.
        parts: of the training ratings, as they come one part after another.
        feed: training batches.
        valid: the evaluation by which states and anchors are chosen.
        steps_per_part: of an epoch, or of a window.
        num_steps: in all.
    """

    splits: dict[str, np.ndarray]
    parts: list[np.ndarray]
    feed: Feed
    valid: Feed | Callable[[int], Feed]
    steps_per_part: int
    num_steps: int


def _make_plan(ratings: Ratings, config: Config) -> _Plan:
    batch_size, seed, stream = config.batch_size, config.seed, config.stream
    if stream.window is None:
        splits = ratings_batches.draw_splits(len(ratings), config.data.protocol, seed)
        feed = ratings_batches.shuffled_ratings(splits["train"], batch_size, seed)
        per_epoch = max(1, len(splits["train"]) // batch_size)
        num_steps = config.num_steps or max(1, round(config.num_epochs * per_epoch))
        valid = evaluation(splits["valid"])
        return _Plan(splits, [splits["train"]], feed, valid, per_epoch, num_steps)
    cut = ratings_batches.cut_windows(ratings.times, stream.window, stream.num_passes, batch_size)
    parts, last = cut.positions[:-1], cut.positions[-1]
    num_steps = min(cut.steps * len(parts), config.num_steps or _NEVER)
    return _Plan(
        splits={"train": np.concatenate(parts), "valid": last, "test": last},
        parts=parts,
        feed=shuffled_windows(cut, batch_size, seed),
        valid=lambda step: evaluation(cut.positions[-(-step // cut.steps)]),
        steps_per_part=cut.steps,
        num_steps=num_steps,
    )


def columns(ratings: Ratings) -> Iterator[tuple[str, np.ndarray, int]]:
    """Each side's name, its row numbers by rating, and its number of rows."""
    yield "users", ratings.users, len(ratings.user_ids)
    yield "items", ratings.items, len(ratings.item_ids)


def evaluation(positions: np.ndarray) -> Feed:
    """The ratings at `positions` once, in batches for all devices."""
    num_devices = jax.device_count()
    per_device = -(-min(_EVAL_BATCH, len(positions)) // num_devices)
    return ratings_batches.ratings_in_order(positions, per_device * num_devices)


def make_model(config: Config, counts: Mapping[str, np.ndarray], mean_rating: float) -> RatingModel:
    """Puts tables and network together."""
    model = config.model

    def table(side: str):
        num_rows = len(counts[side])
        if model.table == "dense":
            return DenseTable(num_rows, model.latent_dim)
        if model.table == "mixed":
            return mixed_dimensions(counts[side], model.num_blocks, model.latent_dim, model.alpha)
        return AnchorTable(num_rows, _room(config, side), model.latent_dim)

    network = NeuralFactorization(model.hidden_sizes)
    return RatingModel(
        users=table("users"),
        items=table("items"),
        network=network if model.network == "ncf" else product,
        mean_rating=mean_rating,
        has_biases=model.biases,
    )


def _num_anchors(config: Config, side: str) -> int:
    return config.model.user_anchors if side == "users" else config.model.item_anchors


def _room(config: Config, side: str) -> int:
    """Anchors that a table has room for."""
    return config.growth.max_anchors if config.growth.enabled else _num_anchors(config, side)


def _start(config, ratings, side, counts, first_steps, say) -> Start:
    """First values of a side's table, and which of its entries are exempt from the penalty."""
    model = config.model
    if model.table != "anchors":
        return Start(counts, first_steps, model.latent_dim, {})
    num_anchors, room = _num_anchors(config, side), _room(config, side)
    if max(num_anchors, 1 if config.growth.enabled else room) > len(counts):
        raise InputError(
            f"model.{side[:-1]}_anchors is {num_anchors}; there are {len(counts)} {side}, expected "
            "at least as many."
        )
    if num_anchors > room:
        raise InputError(
            f"model.{side[:-1]}_anchors is {num_anchors}; growth.max_anchors is {room}."
        )
    if model.anchor_init == "random":
        return Start(counts, first_steps, num_anchors, {})
    rng = np.random.default_rng((config.seed, SIDES.index(side)))
    transform = TRANSFORM_SCALE * np.abs(rng.normal(size=(len(counts), room)))
    if model.anchor_init == "clusters":
        rows = _dense_rows(config, ratings)[side][counts > 0]
        centers, labels = scipy.cluster.vq.kmeans2(rows, num_anchors, minit="++", seed=config.seed)
        transform[np.flatnonzero(counts > 0), labels] += 1.0
        anchors = rng.normal(size=(room, model.latent_dim)) * rows.std()
        anchors[:num_anchors] = centers
        params = {"transform": transform, "anchors": anchors}
        params = {name: value.astype(np.float32) for name, value in params.items()}
        return Start(counts, first_steps, num_anchors, params)
    most = np.argsort(-counts, kind="stable")[:num_anchors]
    transform[most] = 0.0
    transform[most, np.arange(num_anchors)] = 1.0
    exempt = None
    if path := getattr(config.data, f"related_{side}"):
        names = ratings.user_ids if side == "users" else ratings.item_ids
        exempt = _related(path, names, most, room, say)
    params = {"transform": transform.astype(np.float32)}
    return Start(counts, first_steps, num_anchors, params, exempt)


def _dense_rows(config: Config, ratings: Ratings) -> dict[str, np.ndarray]:
    """The tables of a short run of dense factorisation, a function of config and ratings alone."""
    plain = Config(
        seed=config.seed,
        batch_size=config.batch_size,
        num_epochs=_CLUSTER_EPOCHS,
        data=config.data,
        model=ModelConfig(table="dense", latent_dim=config.model.latent_dim),
        optimizer=config.optimizer,
    )
    plain = dataclasses.replace(
        plain, data=dataclasses.replace(plain.data, related_users=None, related_items=None)
    )
    fitted = fit(prepare(ratings, plain).job, show_progress=False)
    return {side: np.asarray(fitted.state.params[side]["table"]) for side in SIDES}


def _related(
    path: str, names: list[str], anchors: np.ndarray, room: int, say: Callable[[str], None]
) -> np.ndarray:
    """Entries of T whose row and anchor are a pair of the file, bool [V, K]."""
    file = find_file(path, "Expected a file with two ids a line.")
    rows = {name: i for i, name in enumerate(names)}
    columns = {int(row): k for k, row in enumerate(anchors)}
    exempt, unknown = np.zeros((len(names), room), bool), 0
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        pair = line.replace(",", " ").split()
        if not pair:
            continue
        if len(pair) != 2:
            raise InputError(f"{file}:{number}: {line[:60]!r}; expected two ids.")
        if not all(name in rows for name in pair):
            unknown += 1
            continue
        for a, b in (pair, pair[::-1]):
            if rows[b] in columns:
                exempt[rows[a], columns[rows[b]]] = True
    say(f"{int(exempt.sum()):,} entries are exempt from the penalty by {file}")
    if unknown:
        say(f"note: {unknown:,} pairs of {file} name ids that have no ratings.")
    return exempt
