"""What a run over ratings can be told: data, tables, penalties, growth, optimiser, stream.

Axis letters: V rows of a table, K anchors, D dimensions.
"""

import dataclasses

from jaxcompress.engine.config import RunConfig, setting
from jaxcompress.errors import InputError


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    """The ratings."""

    path: str = setting("planted", may_change=True)  # a file or folder of ratings, or "planted"
    # a file's columns in their order, if it has no header; or what its header calls them, as in
    # user=User-ID,item=ISBN,rating=Book-Rating; without a rating it is a file of pairs
    columns: tuple[str, ...] = ("user", "item", "rating", "timestamp")
    # pairs without a rating to draw for each pair of a file of pairs; they are ratings of 0, the
    # file's of 1; None: a file of pairs is refused
    num_negatives: int | None = setting(None, at_least=1)
    # "holdout": 80, 10 and 10 % of the ratings; "reference": 90 and 10 %, tested on the validation
    # ratings
    protocol: str = setting("holdout", one_of=("holdout", "reference"))
    min_count: int = setting(1, at_least=1)  # ratings that each user and item must have: the k-core
    # file of pairs of ids whose entry is not penalised, separated by a tab, "::", ";", "," or white
    # space, the first of them that splits its first line in two
    related_users: str | None = None
    related_items: str | None = None  # likewise
    planted_anchors: int = setting(16, at_least=1)  # number of anchors planted by path "planted"


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    """The tables of users and items, and what makes a rating of two rows."""

    table: str = setting("anchors", one_of=("anchors", "dense", "mixed"))
    # "product", or "ncf": neural collaborative filtering
    network: str = setting("product", one_of=("product", "ncf"))
    latent_dim: int = setting(16, at_least=1)  # D
    # K of users; of NBANT the K it starts with; None: chosen on validation ratings (`choose.py`)
    user_anchors: int | None = setting(20, at_least=1)
    item_anchors: int | None = setting(20, at_least=1)  # K of items, likewise
    # "random"; "frequency": the most frequent rows are the anchors; "clusters": the centres of the
    # rows of a short dense run
    anchor_init: str = setting("random", one_of=("random", "frequency", "clusters"))
    # whether each user and item has a bias, beside that of all ratings
    biases: bool = setting(True, earlier=False)
    num_blocks: int = setting(8, at_least=1)  # blocks by frequency of a mixed table
    alpha: float = setting(0.4, at_least=0)  # power of the frequency of a mixed table
    hidden_sizes: tuple[int, ...] = (32, 16)  # units of the layers of network "ncf"


@dataclasses.dataclass(kw_only=True)
class PenaltyConfig:
    """What keeps entries of tables small, few, or zero."""

    # lambda2, weight of the L1 norm of T, or of a dense table
    transform: float = setting(0.0, at_least=0)
    warmup_epochs: float = setting(0.0, at_least=0)  # epochs in which it is raised from 0
    # weight of the squared norms of a rating's two rows: loss + l2 * (|u|^2 + |i|^2); None: chosen
    # on validation ratings (`choose.py`)
    l2: float | None = setting(0.0, at_least=0)
    # draws biases to 0 as if by so many further ratings of none; None: chosen on validation ratings
    # for users and for items (`effects.py`)
    bias_shrinkage: float | None = setting(None, at_least=0, earlier=0.0)
    lazy: bool = False  # whether rows that are not in a batch are left as they are
    # number of parameters that is pruned down to; None: nothing is pruned
    num_parameters: int | None = setting(None, at_least=1)
    # the same as a share of latent_dim numbers for each row that has training ratings; None: as
    # num_parameters says
    share: float | None = setting(None, above=0, at_most=1)
    # what is pruned first: entries of least "saliency" or "magnitude"
    selection: str = setting("saliency", one_of=("saliency", "magnitude"))

    @property
    def prunes(self) -> bool:
        """Whether entries go until a number of parameters is left."""
        return self.num_parameters is not None or self.share is not None


@dataclasses.dataclass(kw_only=True)
class GrowthConfig:
    """NBANT: the number of anchors is sought."""

    enabled: bool = False  # whether it is
    # steps in which it is sought; None: all of them, or a quarter if penalty.num_parameters is set
    num_steps: int | None = setting(None, at_least=0)
    anchor_penalty: float = setting(0.01, at_least=0)  # lambda1 of the objective
    nonzero_penalty: float = setting(1e-6, at_least=0)  # lambda2 of the objective
    delta: int = setting(2, at_least=1)  # anchors of each table that join or go at once
    max_anchors: int = setting(100, at_least=1)  # largest K of a table
    # "climb": on in the direction in which the objective falls; "trend": the reference's rule
    rule: str = setting("climb", one_of=("climb", "trend"))


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    """Yogi and its schedule."""

    learning_rate: float = setting(0.01, above=0)  # Yogi's at the first step
    decay: float = setting(0.5, above=0)  # factor of the rate after every decay_steps
    decay_steps: int = setting(200_000, at_least=1)  # steps between two decays
    # share of the steps (of NBANT: of those after its growth), at the end, in which the rate falls
    # to 0
    cooldown: float = setting(0.0, at_least=0, at_most=1)
    # what is added to the root of Yogi's second moment, which starts at its square; None: a tenth
    # of a rating's share of a batch, so that rows of few ratings move as well
    eps: float | None = setting(1e-3, above=0)


@dataclasses.dataclass(kw_only=True)
class StreamConfig:
    """Ratings in the order of time, a window after another."""

    window: int | None = setting(None, at_least=1)  # ratings of a window; None: no stream
    # as many ratings as this many passes over a window are trained on before the next one comes
    num_passes: int = setting(1, at_least=1)
    replay: bool = False  # whether they are drawn from all windows so far, not from the last alone
    # whether first values, blocks of a mixed table and saliency count ratings of windows that are
    # still to come, and so say too much of them; biases are learned window by window then, else
    # they are those of all windows so far
    looks_ahead: bool = setting(False, earlier=True)


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.ant` runs."""

    # ratings per step, over all devices; None: a hundredth of the training ratings, 32 to 8,192
    batch_size: int | None = setting(1024, at_least=1)
    steps_per_dispatch: int = setting(100, at_least=1)  # steps that one call to the device takes
    num_epochs: float = setting(50.0, above=0)  # epochs, if num_steps is None
    log_every: int = setting(1000, at_least=1, may_change=True)  # steps between lines of the log
    # steps before the last phase in which entries are pruned little by little; None: 31 % of the
    # steps after growth if penalty.num_parameters is set, else 0
    prune_steps: int | None = setting(None, at_least=0)
    # steps of the last phase, without penalty, in which zeros stay zero; None: 45 % of the steps
    # after growth if penalty.num_parameters is set, else 0
    debias_steps: int | None = setting(None, at_least=0)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    penalty: PenaltyConfig = dataclasses.field(default_factory=PenaltyConfig)
    growth: GrowthConfig = dataclasses.field(default_factory=GrowthConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    stream: StreamConfig = dataclasses.field(default_factory=StreamConfig)

    def check(self) -> None:
        """Raises InputError if a value, or several together, are invalid."""
        super().check()
        model, penalty = self.model, self.penalty
        if penalty.num_parameters is not None and penalty.share is not None:
            raise InputError(
                f"penalty.num_parameters is {penalty.num_parameters} and penalty.share "
                f"{penalty.share}; expected one of them, the other none."
            )
        if model.table != "anchors" and self.growth.enabled:
            raise InputError("growth.enabled is True; only model.table anchors can grow.")
        if model.table == "mixed" and (self.penalty.transform or self.penalty.prunes):
            raise InputError("a table of mixed dimensions takes no penalty and is not pruned.")
        if (self.data.related_users or self.data.related_items) and not (
            model.table == "anchors" and model.anchor_init == "frequency"
        ):
            raise InputError(
                "related pairs are of rows and anchors that are rows; set model.table anchors and "
                "model.anchor_init frequency."
            )


def describe(config: Config) -> str:
    """The name of a method."""
    model, penalty = config.model, config.penalty
    name = {"anchors": "ANT", "dense": "MF", "mixed": "MixDim"}[model.table]
    if config.growth.enabled:
        name = "NBANT"
    elif model.table == "dense" and penalty.prunes:
        name = "pruned MF"
    elif model.table == "dense" and penalty.transform:
        name = "sparse MF"
    name = f"NCF over {name}" if model.network == "ncf" else name
    return f"{name} {model.latent_dim}"
