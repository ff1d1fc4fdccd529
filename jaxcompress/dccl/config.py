"""What a DCCL run can be told: data, model, optimiser, refinement, and the sizes that are compared.

Axis letters: D dimensions, M codebooks, K codewords, H hidden units.
"""

import dataclasses
import math
from typing import NamedTuple

from jaxcompress.codes.codebook_types import CODEBOOK_TYPES
from jaxcompress.codes.config import RefineConfig, default_rounds
from jaxcompress.codes.sizes import MAX_CODEBOOKS, MAX_CODEWORDS, MAX_PRODUCT
from jaxcompress.engine.config import RunConfig, setting
from jaxcompress.errors import InputError

_MAX_BYTES_PER_ROW = 2 * MAX_CODEBOOKS  # codes of 16 bits


class Effort(NamedTuple):
    """How much is done, in multiples of what is done by default.

    Attributes:
        steps: of training.
        rounds: of refinement.
    """

    steps: float
    rounds: float


EFFORTS = {"fast": Effort(0.25, 0.2), "default": Effort(1.0, 1.0), "best": Effort(1.5, 5.0)}


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    """The table to compress."""

    # a file, or "stdlib": vectors made of the standard library's English
    path: str = setting("stdlib", may_change=True)
    tensor: str | None = None  # a matrix of a .safetensors or .npz file; None: the only one
    max_rows: int | None = None  # number of rows to read; None: all
    # how much each row counts: "zipf" (1/rank), or a file; None: all rows count alike
    weights: str | None = setting(None, may_change=True)
    valid_rows: int | None = None  # number of held-out rows; None: 5 % of them, at most 1,000
    # whether the host sends rows; None: on CPU, and if the table would take over half of a device's
    # memory
    stream: bool | None = setting(None, may_change=True)
    # whether rows, codes and batches are split over the devices, each of which draws from rows of
    # its own; None: if the table would take over half of a device's memory and there are several
    shard: bool | None = None
    # parts of a table that is split: its batches are the same on any number of devices that divides
    # this one
    num_shards: int = setting(64, at_least=1)


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    """The autoencoder."""

    num_codebooks: int = setting(32, at_least=1, at_most=MAX_CODEBOOKS)  # M
    num_codewords: int = setting(16, at_least=2, at_most=MAX_CODEWORDS)  # K of each codebook
    # G, slices of the dimensions that have further codebooks of their own, added after training
    num_groups: int = setting(1, at_least=1)
    codebooks_per_group: int = setting(0, at_least=0)  # 0: there are no groups
    # H, units of the encoder; None: M*K, at most 1,024 (the paper has M*K/2)
    hidden_size: int | None = setting(None, at_least=1)
    temperature: float = setting(1.0, above=0)  # tau of the Gumbel-softmax at the first step
    # tau at the last step, reached geometrically; None: as at the first
    final_temperature: float | None = setting(0.4, above=0)
    normalize: bool = True  # whether rows are centred and scaled; folded into the codebooks
    revive: bool = True  # whether unused codewords start anew at each evaluation


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    """Adam and its schedule."""

    learning_rate: float = setting(6e-3, above=0)  # peak of Adam's step
    # "cosine": to zero, after a warm-up; or "constant"
    schedule: str = setting("cosine", one_of=("cosine", "constant"))
    warmup_fraction: float = 0.02  # share of the steps
    clip_norm: float | None = None  # bound of the global gradient norm; None: no bound


@dataclasses.dataclass(kw_only=True)
class SweepConfig:
    """How sizes are measured to draw a curve (`sweep.py`)."""

    # numbers of codewords (K) to try
    num_codewords: tuple[int, ...] = setting(
        (4, 8, 16, 32, 64, 256), at_least=2, at_most=MAX_CODEWORDS
    )
    # bytes of the codes of one row
    bytes_per_row: tuple[int, ...] = setting((4, 8, 16, 32), at_least=1, at_most=_MAX_BYTES_PER_ROW)
    # largest M*K; the time that a size takes is about proportional to it
    max_product: int = setting(512, at_least=1)
    num_rows: int = setting(10_000, at_least=1)  # rows of the sample that sizes are trained on
    num_steps: int = setting(1_000, at_least=1)  # optimiser steps of each size
    num_rounds: int = setting(5, at_least=0)  # rounds of refinement of each size


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.dccl` runs."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    refine: RefineConfig = dataclasses.field(default_factory=RefineConfig)
    # 10^6 bytes of codes and codebooks: the size of least predicted error within replaces the
    # model's (`jaxcompress/codes/chooser.py`); None: no target
    target_mb: float | None = setting(None, above=0, below=math.inf)
    sweep: SweepConfig = dataclasses.field(default_factory=SweepConfig)
    # how long to train and refine, where no number of steps or rounds is given: "fast", "default"
    # or "best", as `EFFORTS` says
    effort: str = setting("default", one_of=tuple(EFFORTS))
    # how files hold the codebooks; None: float16 if that moves the mean squared error by less than
    # 0.01 %, else float32; with a target: that of least predicted error
    codebook_type: str | None = setting(None, one_of=CODEBOOK_TYPES)
    # words whose codes and neighbours are shown at the end
    sample_words: tuple[str, ...] = setting(
        ("dog", "dogs", "man", "woman", "king", "queen"), may_change=True
    )
    # whether the lines of model.codes start with the word
    export_words: bool = setting(True, may_change=True)
    # whether the artefact has the encoder, which `Codes.encode` can do without
    export_encoder: bool = setting(False, may_change=True)

    def check(self) -> None:
        """Raises InputError if a value, or several together, are invalid."""
        super().check()
        if self.model.num_codebooks * self.model.num_codewords > MAX_PRODUCT:
            raise InputError(
                f"{self.model.num_codebooks} x {self.model.num_codewords} codewords are more than "
                "2^20; take fewer codebooks or fewer codewords."
            )
        for name in ("num_codewords", "bytes_per_row"):
            values = getattr(self.sweep, name)
            if not values or len(set(values)) < len(values):
                raise InputError(f"sweep.{name} is {values}; expected different numbers.")


def hidden_size(config: ModelConfig) -> int:
    """H: as configured, or else M*K, at most 1,024."""
    return config.hidden_size or min(config.num_codebooks * config.num_codewords, 1024)


def refine_config(config: Config, num_rows: int) -> RefineConfig:
    """Settles the rounds of refinement of N rows: as configured, or else by table and effort."""
    if config.refine.num_rounds is not None:
        return config.refine
    rounds = round(default_rounds(num_rows) * EFFORTS[config.effort].rounds)
    return dataclasses.replace(config.refine, num_rounds=rounds)
