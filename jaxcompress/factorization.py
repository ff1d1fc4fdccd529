"""Ratings predicted from a user's row and an item's row, whatever tables the rows come from.

Matrix factorisation (Koren et al., "Matrix Factorization Techniques for Recommender Systems", 2009)
is an inner product and a bias; the tables are anchors (`jaxcompress/ant.py`) or what they are
judged against (`jaxcompress/baselines.py`), the network is the product or a deeper one.

Axis letters: B batch, V rows of a table, K entries of a row before it is mixed, D dimensions.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress import ant
from jaxcompress.config import RunConfig, check_bounds
from jaxcompress.errors import InputError
from jaxcompress.optim import proximal_yogi
from jaxcompress.rating_model import ENTRIES, SIDES, RatingModel, entries, num_nonzero, num_others
from jaxcompress.task import Task, mean_metrics, unchanged

_PRUNE_SHARE, _DEBIAS_SHARE = 0.31, 0.45


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    path: str = "planted"  # a file or folder of ratings, or "planted"
    columns: tuple[str, ...] = ("user", "item", "rating", "timestamp")  # without a header
    protocol: str = "holdout"  # 80/10/10 %; "reference": 90/10 %, tested on the validation ratings
    min_count: int = 1  # ratings that each user and item must have: the k-core
    related_users: str | None = None  # a file of pairs of ids whose entry is not penalised
    related_items: str | None = None  # the same of items
    planted_anchors: int = 16  # of path "planted": the number to be found


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    table: str = "anchors"  # "anchors", "dense" or "mixed"
    network: str = "product"  # "product", or "ncf": neural collaborative filtering
    latent_dim: int = 16  # D
    user_anchors: int = 20  # K of users; NBANT: at the start
    item_anchors: int = 20  # K of items
    anchor_init: str = "random"  # "random"; "frequency": the most frequent rows are the anchors;
    # "clusters": of the rows of a short dense run
    biases: bool = False  # of each user and item, beside the one of all ratings
    num_blocks: int = 8  # mixed: blocks by frequency
    alpha: float = 0.4  # mixed: power of the frequency
    hidden_sizes: tuple[int, ...] = (32, 16)  # ncf


@dataclasses.dataclass(kw_only=True)
class PenaltyConfig:
    transform: float = 0.0  # lambda2: L1 of T, or of a dense table
    warmup_epochs: float = 0.0  # in which it is raised from 0
    l2: float = 0.0  # of the two rows of each rating: loss + l2 * (|u|^2 + |i|^2)
    lazy: bool = False  # rows that are not in a batch are left as they are
    num_parameters: int | None = None  # entries that matter least go until so many are left
    selection: str = "saliency"  # which ones: "saliency" or "magnitude"


@dataclasses.dataclass(kw_only=True)
class GrowthConfig:
    enabled: bool = False  # NBANT: the number of anchors is sought
    num_steps: int | None = None  # in so many steps; None: a quarter of them where
    # penalty.num_parameters is given, else all
    anchor_penalty: float = 0.01  # lambda1
    nonzero_penalty: float = 1e-6  # lambda2 of the objective
    delta: int = 2  # anchors of each table that join or go at once
    max_anchors: int = 100  # of a table
    rule: str = "climb"  # or "trend", the reference's


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    learning_rate: float = 0.01  # of Yogi
    decay: float = 0.5  # what it is multiplied by every decay_steps
    decay_steps: int = 200_000
    cooldown: float = 0.0  # share of the steps after NBANT's, at the end, in which it falls to 0


@dataclasses.dataclass(kw_only=True)
class StreamConfig:
    window: int | None = None  # ratings of a window, in order of time; None: all at once
    num_passes: int = 1  # over each window


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.ant` runs."""

    batch_size: int = 1024  # ratings per step, over all devices
    steps_per_dispatch: int = 100
    num_epochs: float = 50.0  # where num_steps is None
    log_every: int = 1000
    prune_steps: int | None = None  # in which entries go, little by little, before the last phase;
    # None: 31 % of the steps after NBANT's where penalty.num_parameters is given, else 0
    debias_steps: int | None = None  # the last phase: no penalty, and what is zero stays so; None:
    # 45 % likewise
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    penalty: PenaltyConfig = dataclasses.field(default_factory=PenaltyConfig)
    growth: GrowthConfig = dataclasses.field(default_factory=GrowthConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    stream: StreamConfig = dataclasses.field(default_factory=StreamConfig)

    def check(self) -> None:
        super().check()
        model, growth = self.model, self.growth
        check_bounds(
            self,
            at_least_1=("data.min_count", "data.planted_anchors", "model.latent_dim",
                        "model.user_anchors", "model.item_anchors", "model.num_blocks",
                        "penalty.num_parameters", "growth.delta", "growth.max_anchors",
                        "optimizer.decay_steps", "stream.window", "stream.num_passes"),
            at_least_0=("penalty.transform", "penalty.warmup_epochs", "penalty.l2", "prune_steps",
                        "debias_steps", "model.alpha", "growth.num_steps", "growth.anchor_penalty",
                        "growth.nonzero_penalty", "optimizer.cooldown"),
            above_0=("num_epochs", "optimizer.learning_rate", "optimizer.decay"),
            choices={
                "data.protocol": ("holdout", "reference"),
                "model.table": ("anchors", "dense", "mixed"),
                "model.network": ("product", "ncf"),
                "model.anchor_init": ("random", "frequency", "clusters"),
                "penalty.selection": ("saliency", "magnitude"),
                "growth.rule": ("climb", "trend"),
            },
        )  # fmt: skip
        if model.table != "anchors" and growth.enabled:
            raise InputError("growth.enabled is True; only model.table anchors can grow.")
        if not self.optimizer.cooldown <= 1:
            raise InputError(
                f"optimizer.cooldown is {self.optimizer.cooldown}; it must be at most 1."
            )
        if model.table == "mixed" and (self.penalty.transform or self.penalty.num_parameters):
            raise InputError("a table of mixed dimensions takes no penalty and is not pruned.")
        if (self.data.related_users or self.data.related_items) and not (
            model.table == "anchors" and model.anchor_init == "frequency"
        ):
            raise InputError(
                "related pairs are of rows and anchors that are rows; set model.table anchors and "
                "model.anchor_init frequency."
            )


METHODS = ("mf", "mixdim", "ant", "nbant", "sparse", "pruned", "ncf", "ncf-ant", "ant-paper",
           "nbant-paper")  # fmt: skip


def published_config(method: str, *, num_parameters: int, **settings: Any) -> Config:
    """The config of a method, as far as it does not depend on the data.

    Args:
        method: one of `METHODS`; "ant-paper" and "nbant-paper" are those of the reference.
        num_parameters: what methods that leave entries out come down to.
        settings: further fields of `Config`.
    """
    if method not in METHODS:
        raise InputError(f"no method {method!r}; there are {', '.join(METHODS)}.")
    base, grows = method.removesuffix("-paper"), method.startswith("nbant")
    if method != base:
        config = Config(**{"num_epochs": 50.0, **settings})
        return dataclasses.replace(
            config,
            model=ModelConfig(user_anchors=10, item_anchors=10 if grows else 15),
            penalty=PenaltyConfig(transform=2e-6),
            growth=GrowthConfig(
                enabled=grows, anchor_penalty=0.1, nonzero_penalty=2e-6, rule="trend"
            ),
        )
    config = Config(**{"num_epochs": 60.0 if grows else 45.0, **settings})
    prunes = base in ("ant", "nbant", "ncf-ant", "pruned")
    table = {"mixdim": "mixed", "mf": "dense", "sparse": "dense", "pruned": "dense", "ncf": "dense"}
    return dataclasses.replace(
        config,
        model=ModelConfig(
            table=table.get(base, "anchors"),
            network="ncf" if base.startswith("ncf") else "product",
            user_anchors=10 if grows else 32,
            item_anchors=10 if grows else 32,
        ),
        penalty=PenaltyConfig(
            transform={"sparse": 3e-6, "pruned": 1e-6}.get(base, 0.0),
            l2={"ncf": 0.0, "ncf-ant": 0.0, "nbant": 0.03}.get(base, 0.04),
            num_parameters=num_parameters if prunes else None,
            selection="magnitude" if base == "pruned" else "saliency",
        ),
        growth=GrowthConfig(
            enabled=grows, max_anchors=48, anchor_penalty=5e-5, nonzero_penalty=1e-8
        ),
        optimizer=OptimizerConfig(cooldown=_DEBIAS_SHARE),
    )


class Start(NamedTuple):
    """Of one side: what the data say before training.

    Attributes:
        counts: int [V], training ratings of each row.
        first_steps: int [V], the step from which on there are any; 2^31 - 1 for a row without.
        num_active: K at the start, of as many as the table has room for.
        params: first values in the place of random ones, by name.
        exempt: bool [V, K], entries that are not penalised; or None.
    """

    counts: np.ndarray
    first_steps: np.ndarray
    num_active: int
    params: dict[str, np.ndarray]
    exempt: np.ndarray | None = None


class Schedule(NamedTuple):
    """The steps at which phases begin and end; each but the last is one of an evaluation.

    Attributes:
        grown: NBANT's number of anchors is chosen; 0 where it is given.
        prune: entries begin to go.
        debias: the last phase.
        end: of it.
        best_from: where the states begin that count.
        cooldown: steps at the end in which the learning rate falls to 0.
    """

    grown: int
    prune: int
    debias: int
    end: int
    best_from: int
    cooldown: int


def make_schedule(config: Config, num_steps: int, eval_every: int) -> Schedule:
    """Lays out the phases, in whole evaluations.

    Raises:
        InputError: where they are longer than the run.
    """

    def whole(steps: float) -> int:
        return round(steps / eval_every) * eval_every

    def of_rest(steps: int | None, share: float) -> int:
        derived = share * (num_steps - grown) if config.penalty.num_parameters else 0
        return whole(derived if steps is None else steps)

    grown = 0
    if config.growth.enabled:
        share = 0.25 if config.penalty.num_parameters else 1.0
        grown = whole(share * num_steps) if config.growth.num_steps is None else (
            whole(config.growth.num_steps))  # fmt: skip
    debias_steps = of_rest(config.debias_steps, _DEBIAS_SHARE)
    prune_steps = of_rest(config.prune_steps, _PRUNE_SHARE)
    debias = num_steps
    if debias_steps or config.penalty.num_parameters:
        debias = whole(num_steps - max(debias_steps, eval_every))
    prune = debias - prune_steps
    if debias < 1 or (debias < num_steps and min(grown, num_steps) > prune):
        raise InputError(
            f"the run has {num_steps} steps, an evaluation every {eval_every}; that is too few for "
            f"growth of {grown}, prune_steps {prune_steps} and debias_steps {debias_steps}."
        )
    # A state is evaluated before its entries or anchors go.
    best_from = debias + 1 if debias < num_steps else grown + 1 if grown < num_steps else 0
    cooldown = whole(config.optimizer.cooldown * (num_steps - grown))
    return Schedule(grown, prune, debias, num_steps, best_from, cooldown)


def make_optimizer(
    config: Config, schedule: Schedule, steps_per_epoch: int, starts: dict[str, Start]
) -> optax.GradientTransformation:
    """Proximal Yogi: the tables' entries are penalised, those of a transform stay at least 0."""
    optimizer, penalty = config.optimizer, config.penalty

    def rate(step):
        value = optimizer.learning_rate * optimizer.decay ** (step // optimizer.decay_steps)
        if schedule.cooldown:
            value *= jnp.clip((schedule.end - step) / schedule.cooldown, 0.0, 1.0)
        return value

    def raised(step):
        return jnp.minimum(1.0, step / max(1.0, penalty.warmup_epochs * steps_per_epoch))

    def weight(path, _):
        if path[-1].key not in ENTRIES:
            return None
        exempt = starts[path[0].key].exempt
        return penalty.transform * (1.0 if exempt is None else jnp.where(exempt, 0.0, 1.0))

    return proximal_yogi(
        rate,
        lambda params: jax.tree_util.tree_map_with_path(weight, params),
        penalty_schedule=raised,
        non_negative=lambda params: jax.tree_util.tree_map_with_path(
            lambda path, _: path[-1].key == "transform", params
        ),
        fixed_from=schedule.prune if schedule.prune < schedule.end else None,
        lazy=penalty.lazy,
    )


def make_task(
    config: Config,
    model: RatingModel,
    starts: dict[str, Start],
    schedule: Schedule,
) -> Task:
    """Builds the task.

    Args:
        config: penalties and growth.
        model: the tables and the network.
        starts: what the data say, by side.
        schedule: when phases begin.
    """
    penalty, growth = config.penalty, config.growth
    counts = {side: jnp.asarray(starts[side].counts, jnp.float32) for side in SIDES}
    first_steps = {side: jnp.asarray(starts[side].first_steps, jnp.int32) for side in SIDES}
    is_stream = config.stream.window is not None

    def init(key):
        about = {}
        for side in SIDES:
            room = _room(getattr(model, side))
            seen = first_steps[side] <= 0
            about[side] = {"seen": seen, "active": jnp.arange(room) < starts[side].num_active}
        batch = {side: jnp.zeros(1, jnp.int32) for side in SIDES}
        params = model.init(key, batch, about, fill=False)["params"]
        for side in SIDES:
            params[side] |= {name: jnp.asarray(v) for name, v in starts[side].params.items()}
            if name := entries(params[side]):
                params[side][name] *= counts[side][:, None] > 0  # no rating: nothing to learn
        return params, {**about, "growth": ant.no_growth()._asdict()}

    def predict(params, aux, batch, fill):
        about = {side: aux[side] for side in SIDES}
        return model.apply({"params": params}, batch, about, fill=fill)

    def loss(params, aux, carry, batch, step, key):
        prediction, norms = predict(params, aux, batch, fill=False)
        error = jnp.mean((prediction - batch["values"]) ** 2)
        whole = error + penalty.l2 * jnp.mean(norms) if penalty.l2 else error
        return whole, (carry, {"mse": error})

    def evaluate(params, aux, carry, batch):
        prediction, _ = predict(params, aux, batch, fill=True)
        mask = batch["mask"].astype(jnp.float32)
        count = mask.sum()
        sums = {
            "squared_error": ((prediction - batch["values"]) ** 2) @ mask,
            "count": count,
            "nnz": num_nonzero(params, aux) * count,
            "parameters": (num_nonzero(params, aux) + num_others(params, aux)) * count,
        }
        for side in SIDES:
            sums[f"{side}_anchors"] = aux[side]["active"].sum() * count
        return carry, sums

    def metrics(sums):
        means = mean_metrics(sums)
        mse = means.pop("squared_error")
        anchors = means["users_anchors"] + means["items_anchors"]
        value = ant.objective(mse, means["nnz"], anchors, growth.anchor_penalty,
                              growth.nonzero_penalty)  # fmt: skip
        return {"mse": mse, "rmse": math.sqrt(mse), "objective": value, **means}

    def after_eval(step, key, params, aux, sums):
        if is_stream:  # the next window begins
            aux = {**aux, **{s: {**aux[s], "seen": first_steps[s] <= step} for s in SIDES}}
        if schedule.grown:
            params, aux = _grow(config, schedule, counts, step, key, params, aux, sums["valid"])
        if penalty.num_parameters:
            is_time = (step >= schedule.prune) & (step <= schedule.debias)
            params = jax.lax.cond(
                is_time, lambda: _prune(config, schedule, counts, step, params, aux), lambda: params
            )
        return params, aux

    changes = is_stream or schedule.grown or penalty.num_parameters
    return Task(
        init=init,
        loss=loss,
        evaluate=evaluate,
        metrics=metrics,
        after_eval=after_eval if changes else unchanged,
    )


def _room(table: nn.Module) -> int:
    return getattr(table, "num_anchors", table.dim)


def _saliencies(counts: dict, params: dict, aux: dict) -> dict[str, jax.Array]:
    """The saliency of each side's entries; a dense table's anchors are the unit vectors."""
    rows, bases = {}, {}
    for side in SIDES:
        part, active = params[side], aux[side]["active"]
        table = jnp.where(active, part[entries(part)], 0.0)
        bases[side] = (table, part.get("anchors", jnp.eye(table.shape[1])))
        rows[side] = table @ bases[side][1]
    found = {}
    for side, other in (SIDES, SIDES[::-1]):
        weight = counts[other][:, None] / counts[other].sum()
        products = (weight * rows[other]).T @ rows[other]
        found[side] = ant.saliency(*bases[side], counts[side], products)
    return found


def _prune(config: Config, schedule: Schedule, counts, step, params: dict, aux: dict) -> dict:
    """Drops entries on the way to `penalty.num_parameters`."""
    tables = [params[side][entries(params[side])] for side in SIDES]
    if config.penalty.selection == "saliency":
        scores = list(_saliencies(counts, params, aux).values())
    else:
        scores = [jnp.abs(table) for table in tables]
    # The entries of anchors that are not active count as none.
    scores = [jnp.where(aux[side]["active"], s, 0.0) for side, s in zip(SIDES, scores, strict=True)]
    full = sum((counts[side] > 0).sum() * aux[side]["active"].sum() for side in SIDES)
    target = jnp.maximum(config.penalty.num_parameters - num_others(params, aux), 1)
    count = ant.gradual_count(step, schedule.prune, schedule.debias, full, target)
    kept = ant.keep_largest(scores, tables, count)
    return {
        **params,
        **{side: {**params[side], entries(params[side]): t}
           for side, t in zip(SIDES, kept, strict=True)},
    }  # fmt: skip


def _grow(config: Config, schedule: Schedule, counts, step, key, params, aux, sums):
    """Lets NBANT change its numbers of anchors, and at the end of its phase take the best ones."""
    options = config.growth
    growth = ant.Growth(**aux["growth"])
    numbers = jnp.stack([aux[side]["active"].sum() for side in SIDES])
    value = ant.objective(
        sums["squared_error"] / sums["count"], sums["nnz"] / sums["count"], numbers.sum(),
        options.anchor_penalty, options.nonzero_penalty,
    )  # fmt: skip
    growth = ant.observe(growth, value.astype(jnp.float32), numbers)
    direction = ant.RULES[options.rule](growth)
    change = direction * options.delta * jnp.ones(2, jnp.int32)
    change = jnp.where(step < schedule.grown, change, growth.best_count - numbers)
    change = jnp.where(step > schedule.grown, 0, change)
    growth = growth._replace(direction=direction)
    importance = _saliencies(counts, params, aux)
    params, aux = dict(params), dict(aux)
    for i, side in enumerate(SIDES):
        transform, anchors, active = ant.resize(
            jax.random.fold_in(key, i), params[side]["transform"], params[side]["anchors"],
            aux[side]["active"], importance[side].sum(axis=0), change[i],
        )  # fmt: skip
        transform = jnp.where(counts[side][:, None] > 0, transform, 0.0)
        params[side] = {**params[side], "transform": transform, "anchors": anchors}
        aux[side] = {**aux[side], "active": active}
    return params, {**aux, "growth": growth._asdict()}
