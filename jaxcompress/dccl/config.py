"""Deep compositional code learning (DCCL).

Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning", ICLR 2018,
arXiv 1711.01068. A row of a trained table becomes M codes in [0, K) and is read back as the sum of
M codewords, one of each of M codebooks. An encoder and the codebooks are trained together as an
autoencoder whose middle is M draws from Gumbel-softmax distributions.

Axis letters: B batch, N rows, D dimensions, M codebooks, K codewords, H hidden units.

Departures from the paper, each off in `configs/glove_paper.py`:
- `model.normalize`: rows enter and leave the autoencoder centred and scaled to unit variance, so
  that one learning rate serves any table. `export_codebooks` folds both into the codebooks.
- `model.revive`: codewords that no row uses start anew beside the ones used most.
- The learning rate falls along a cosine, the temperature falls, gradients are not clipped.
- The encoder is twice as wide: it is not part of what is stored.
- Codes and codebooks are refined after training (`refinement.py`).
"""

import dataclasses
import math

from jaxcompress.codes.config import RefineConfig
from jaxcompress.codes.sizes import MAX_CODEBOOKS, MAX_CODEWORDS, MAX_PRODUCT
from jaxcompress.engine.config import RunConfig, check_bounds
from jaxcompress.errors import InputError


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    path: str = "stdlib"  # a file, or "stdlib": vectors made of the standard library's English
    tensor: str | None = None  # the name of a tensor in a .safetensors file
    max_rows: int | None = None  # read only so many rows
    weights: str | None = None  # how much each row counts: "zipf" (1/rank), or a file; None: alike
    valid_rows: int | None = None  # held-out rows; None: min(5 %, 1,000)
    stream: bool | None = None  # send rows from the host; None: on CPU, and where the table would


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    num_codebooks: int = 32  # M
    num_codewords: int = 16  # K
    hidden_size: int | None = None  # H; None: M*K, at most 1,024; the paper has M*K/2
    temperature: float = 1.0  # tau of the Gumbel-softmax
    final_temperature: float | None = 0.4  # at the last step, reached geometrically; None: same
    normalize: bool = True  # centre and scale the rows; folded into the exported codebooks
    revive: bool = True  # let unused codewords start anew at each evaluation


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    learning_rate: float = 6e-3  # peak of Adam's step
    schedule: str = "cosine"  # "cosine" to zero, after a warm-up, or "constant"
    warmup_fraction: float = 0.02  # of the steps
    clip_norm: float | None = None  # global gradient norm; None: not clipped


@dataclasses.dataclass(kw_only=True)
class SweepConfig:
    """How sizes are compared, for `target_mb` and `--mode sweep`; see `sweep.py`."""

    num_codewords: tuple[int, ...] = (4, 8, 16, 32, 64, 256)  # K that are tried
    bytes_per_row: tuple[int, ...] = (4, 8, 16, 32)  # of the curve, which has no target
    max_product: int = 512  # M*K of the curve's sizes; the time of each is about proportional
    num_rows: int = 10_000  # of the sample that is trained on
    num_steps: int = 1_000  # of each size
    num_rounds: int = 5  # of refinement, likewise

    def check(self) -> None:
        for k in self.num_codewords:
            if not 2 <= k <= MAX_CODEWORDS:
                raise InputError(f"sweep.num_codewords has {k}; each must be from 2 to 65,536.")
        for count in self.bytes_per_row:
            if not 1 <= count <= 2048:  # 1,024 codes of 16 bits
                raise InputError(f"sweep.bytes_per_row has {count}; each must be from 1 to 2,048.")
        for name in ("num_codewords", "bytes_per_row"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InputError(f"sweep.{name} is {values}; expected different numbers.")


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.dccl` runs."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    refine: RefineConfig = dataclasses.field(default_factory=RefineConfig)
    # 10^6 bytes of codes and codebooks: the best size within takes the place of the model's
    target_mb: float | None = None
    sweep: SweepConfig = dataclasses.field(default_factory=SweepConfig)
    sample_words: tuple[str, ...] = ("dog", "dogs", "man", "woman", "king", "queen")
    export_words: bool = True  # whether the lines of model.codes start with the word

    def check(self) -> None:
        super().check()
        model, optimizer = self.model, self.optimizer
        if not 1 <= model.num_codebooks <= MAX_CODEBOOKS:
            raise InputError(
                f"model.num_codebooks is {model.num_codebooks}; it must be from 1 to 1,024."
            )
        if not 2 <= model.num_codewords <= MAX_CODEWORDS:
            raise InputError(
                f"model.num_codewords is {model.num_codewords}; it must be from 2 to 65,536."
            )
        if model.num_codebooks * model.num_codewords > MAX_PRODUCT:
            raise InputError(
                f"{model.num_codebooks} x {model.num_codewords} codewords are more "
                "than 2^20; take fewer codebooks or fewer codewords."
            )
        if self.target_mb is not None and not 0 < self.target_mb < math.inf:
            raise InputError(f"target_mb is {self.target_mb}; it must be a number above 0.")
        check_bounds(
            self,
            at_least_1=("sweep.num_rows", "sweep.num_steps", "sweep.max_product"),
            at_least_0=("sweep.num_rounds",),
        )
        self.sweep.check()
        for name in ("temperature", "final_temperature"):
            value = getattr(model, name)
            if value is not None and not value > 0:
                raise InputError(f"model.{name} is {value}; it must be above 0.")
        if model.hidden_size is not None and model.hidden_size < 1:
            raise InputError(f"model.hidden_size is {model.hidden_size}; it must be at least 1.")
        check_bounds(self, at_least_0=("refine.num_rounds",), at_least_1=("refine.num_steps",))
        if optimizer.schedule not in ("cosine", "constant"):
            raise InputError(
                f'optimizer.schedule is {optimizer.schedule!r}; it must be "cosine" or "constant".'
            )
        if not optimizer.learning_rate > 0:
            raise InputError(
                f"optimizer.learning_rate is {optimizer.learning_rate}; it must be above 0."
            )


def hidden_size(config: ModelConfig) -> int:
    """H: as configured, or else M*K, at most 1,024."""
    return config.hidden_size or min(config.num_codebooks * config.num_codewords, 1024)
