"""Ratings predicted from a user's row and an item's row, whatever tables the rows come from.

Matrix factorisation (Koren et al., "Matrix Factorization Techniques for Recommender Systems", 2009)
is an inner product and a bias; the tables are anchors (`jaxcompress/ant.py`) or what they are
judged against (`jaxcompress/baselines.py`), the network is the product or a deeper one.

Axis letters: B batch, V rows of a table, K entries of a row before it is mixed, D dimensions.
"""

import dataclasses
from typing import Any

from jaxcompress.engine.config import RunConfig, check_bounds
from jaxcompress.errors import InputError

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


def describe(config: Config) -> str:
    """The name of a method."""
    model, penalty = config.model, config.penalty
    name = {"anchors": "ANT", "dense": "MF", "mixed": "MixDim"}[model.table]
    if config.growth.enabled:
        name = "NBANT"
    elif model.table == "dense" and penalty.num_parameters:
        name = "pruned MF"
    elif model.table == "dense" and penalty.transform:
        name = "sparse MF"
    name = f"NCF over {name}" if model.network == "ncf" else name
    return f"{name} {model.latent_dim}"
