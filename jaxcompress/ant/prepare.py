"""From ratings and a config to a job for the loop: splits, batches, tables, phases.

Axis letters: V rows of a table, D dimensions.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from jaxcompress.anchors.table import AnchorTable
from jaxcompress.ant.baselines import DenseTable, NeuralFactorization, mixed_dimensions
from jaxcompress.ant.config import Config
from jaxcompress.ant.effects import (
    BIASES,
    Effects,
    choose_effects,
    fit_effects,
    of_first_window,
    of_windows,
)
from jaxcompress.ant.model import RatingModel, product
from jaxcompress.ant.plan import Plan, columns, make_plan, settle
from jaxcompress.ant.schedule import make_schedule
from jaxcompress.ant.starts import NEVER, Start, check_anchors, make_start, max_anchors
from jaxcompress.ant.task import fits_biases_alone, make_optimizer, make_task
from jaxcompress.data.ratings.batches import first_parts
from jaxcompress.data.ratings.negatives import add_negatives
from jaxcompress.data.ratings.planted import PLANTED, planted_ratings
from jaxcompress.data.ratings.read import Ratings, read_ratings
from jaxcompress.engine.job import Job
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.steps import make_engine
from jaxcompress.errors import InputError


class Problem(NamedTuple):
    """Ratings and a config, made ready for the loop.

    Attributes:
        config: the run's config, with what the ratings settle.
        job: what the loop runs.
        model: tables and network.
        ratings: all ratings.
        splits: "train", "valid" and "test": positions in `ratings`, int [n].
        steps_per_epoch: steps of an epoch of the training ratings; of a stream, of one window.
        effects: the simplest predictions by name, of what is known when training starts.
        windows: positions of the ratings of each window of a stream; else empty.
    """

    config: Config
    job: Job
    model: RatingModel
    ratings: Ratings
    splits: dict[str, np.ndarray]
    steps_per_epoch: int
    effects: dict[str, Effects]
    windows: list[np.ndarray]


def read(config: Config) -> Ratings:
    """Reads the ratings of a config, or makes them if they are planted.

    Raises:
        InputError: if a file is missing or invalid, with file, line, and what was expected.
    """
    data = config.data
    if data.path == PLANTED:
        ratings = planted_ratings(data.planted_anchors, config.seed)
    else:
        ratings = read_ratings(
            data.path,
            columns=data.columns,
            min_count=data.min_count,
            with_times=config.stream.window is not None,
        )
    if not ratings.are_pairs:
        if data.num_negatives is not None:
            raise InputError(
                f"data.num_negatives is {data.num_negatives}; {ratings.source} has ratings, and "
                "negatives are drawn for pairs alone. Leave it out."
            )
        return ratings
    if data.num_negatives is None:
        raise InputError(
            f"{ratings.source}: no column of ratings, so each pair counts 1, and there is nothing "
            "to tell apart. Set --config.data.num_negatives=4 to draw 4 pairs that are not in it "
            "for each that is, as ratings of 0; or name the ratings in data.columns."
        )
    return add_negatives(ratings, data.num_negatives, config.seed)


@own_settings
def prepare(
    ratings: Ratings,
    config: Config,
    dense_rows: Mapping[str, np.ndarray] | None = None,
    *,
    say: Callable[[str], None] = print,
) -> Problem:
    """Makes a job of ratings; it trains nothing.

    Args:
        ratings: the ratings.
        config: what to run.
        dense_rows: of each side [V, D], from `clusters.learn_dense_rows`; needed if
            `config.model.anchor_init` is "clusters".
        say: takes a line for the user.

    Raises:
        InputError: if the ratings and the config do not go together.
    """
    config = settle(ratings, config)
    check_anchors(config, ratings)
    plan = make_plan(ratings, config)
    per_part = plan.steps_per_part
    eval_every = per_part if config.stream.window else config.eval_every or per_part
    schedule = make_schedule(config, plan.num_steps, eval_every)
    effects = _learn_effects(ratings, config, plan)
    biases = _fit_biases(ratings, config, plan, effects)
    starts = _make_starts(ratings, config, plan, dense_rows, biases, say)
    first_part = ratings.values[plan.parts[0]]  # of a stream, what is known when it starts
    counts = {side: start.counts for side, start in starts.items()}
    _warn_of_budget(config, starts, say)
    model = make_model(config, counts, float(first_part.mean()))
    task = make_task(config, model, starts, schedule, biases)
    tx = make_optimizer(config, schedule, per_part, starts)
    engine = make_engine(config.parallel, config.batch_size, task, tx, plan.feed.gather)
    placed = {"users": ratings.users, "items": ratings.items, "values": ratings.values}
    finds_anchors = schedule.grown and schedule.grown >= plan.num_steps
    job = Job(
        task=task,
        tx=tx,
        engine=engine,
        data=engine.place_data(placed),
        feed=plan.feed,
        evaluations={"valid": plan.valid},
        config=dataclasses.replace(config, eval_every=eval_every),
        num_steps=plan.num_steps,
        best_metric="valid_objective" if finds_anchors else "valid_mse",
        best_from=plan.num_steps if config.stream.window else schedule.best_from,
    )
    windows = [*plan.parts, plan.splits["test"]] if config.stream.window else []
    return Problem(config, job, model, ratings, plan.splits, per_part, effects, windows)


def _warn_of_budget(
    config: Config, starts: Mapping[str, Start], say: Callable[[str], None]
) -> None:
    """Says so if anchors, where their number is given, and biases are more than is asked for."""
    asked, model = config.penalty.num_parameters, config.model
    if asked is None:
        return
    rows = sum(int((start.first_steps < NEVER).sum()) for start in starts.values())
    least = 1 + model.biases * rows
    if model.table == "anchors" and not config.growth.enabled:
        least += (model.user_anchors + model.item_anchors) * model.latent_dim
    if least >= asked:
        say(
            f"note: penalty.num_parameters is {asked:,}; anchors and biases alone are {least:,}, "
            "so that is not reached, and one entry of the tables is left. Ask for more, or take "
            "fewer anchors."
        )


def _learn_effects(ratings: Ratings, config: Config, plan: Plan) -> dict[str, Effects]:
    if config.stream.window is not None:
        return of_first_window(ratings, plan.parts[0])
    return choose_effects(ratings, plan.splits["train"], plan.splits["valid"])


def _fit_biases(
    ratings: Ratings, config: Config, plan: Plan, effects: Mapping[str, Effects]
) -> dict[int, Effects]:
    """Fits the biases that a run starts with, at step 0; of a stream, those after each window."""
    if not config.model.biases:
        return {}
    if fits_biases_alone(config):
        found = of_windows(ratings, [*plan.parts, plan.splits["test"]])
        return {i * plan.steps_per_part: fits[BIASES] for i, fits in enumerate(found)}
    if (given := config.penalty.bias_shrinkage) is not None:
        return {0: fit_effects(ratings, plan.parts[0], (given, given))}
    return {0: effects[BIASES]}


def _make_starts(
    ratings: Ratings,
    config: Config,
    plan: Plan,
    dense_rows: Mapping[str, np.ndarray] | None,
    biases: Mapping[int, Effects],
    say: Callable[[str], None],
) -> dict[str, Start]:
    known = plan.splits["train"] if config.stream.looks_ahead else plan.parts[0]
    starts = {}
    for i, (side, (rows, names)) in enumerate(columns(ratings).items()):
        counts = np.bincount(rows[known], minlength=len(names))
        first = first_parts(rows, plan.parts, len(names))
        first_steps = np.where(first < 0, NEVER, first * plan.steps_per_part)
        dense = None if dense_rows is None else dense_rows[side]
        start = make_start(config, ratings, side, counts, first_steps, dense, say)
        if biases:
            start = start._replace(shrinkage=biases[0].shrinkages[i])
        starts[side] = start
    return starts


def make_model(config: Config, counts: Mapping[str, np.ndarray], mean_rating: float) -> RatingModel:
    """Puts tables and network together.

    Args:
        config: what they are.
        counts: of each side [V], training ratings of each row.
        mean_rating: the first value of the bias of all ratings.
    """
    model = config.model

    def table(side: str):
        num_rows = len(counts[side])
        if model.table == "dense":
            return DenseTable(num_rows, model.latent_dim)
        if model.table == "mixed":
            return mixed_dimensions(counts[side], model.num_blocks, model.latent_dim, model.alpha)
        return AnchorTable(num_rows, max_anchors(config, side), model.latent_dim)

    network = NeuralFactorization(model.hidden_sizes)
    return RatingModel(
        users=table("users"),
        items=table("items"),
        network=network if model.network == "ncf" else product,
        mean_rating=mean_rating,
        has_biases=model.biases,
    )
