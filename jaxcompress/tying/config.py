"""Language models whose embedding is also their classifier, and the augmented loss.

Inan, Khosravi & Socher, "Tying Word Vectors and Word Classifiers: A Loss Framework for Language
Modeling", ICLR 2017, arXiv 1611.01462. An LSTM reads words and predicts the next one. AL adds to
the cross-entropy the divergence from a teacher that gives words near the target their share; RE
lets one table be embedding and classifier, which the theory of AL calls for; REAL is both.

Axis letters: B batch (lanes of text), T time, V vocabulary, D units (of embedding and of LSTM).

Departures from the paper:
- Where the paper is silent, whether gradients flow through the teacher, they do not
  (`model.teacher_gradient`): it costs half as much.
- A sequence is one stretch of `unroll` tokens: dropout masks are drawn anew for each.
"""

import dataclasses

from jaxcompress.engine.config import RunConfig, check_bounds
from jaxcompress.errors import InputError


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    path: str = "stdlib"  # a folder with train, valid and test files, or "stdlib"
    vocabulary: str | None = None  # a file, a word a line; None: the training split's words
    max_vocab: int | None = None  # words kept, by frequency
    vectors: str | None = None  # the embedding's first values: what train.dccl reads, or codes
    tensor: str | None = None  # which matrix of vectors in a .safetensors file


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    hidden_size: int = 200  # D
    num_layers: int = 2
    dropout: float = 0.3  # part of the units that are dropped, by one mask for a sequence
    init_scale: float = 0.1  # weights start uniform in [-init_scale, init_scale]
    reuse_embedding: bool = False  # RE: the embedding is the classifier, without bias
    augmented_loss: bool = False  # AL
    gamma: float = 0.65  # of alpha = gamma * temperature, the weight of the KL divergence
    temperature: float = 20.0  # tau of the teacher and of the softmax that learns from it
    initial_temperature: float | None = None  # raised to `temperature`, geometrically; None: same
    temperature_epochs: float = 1.0  # in so many epochs
    teacher_gradient: bool = False  # whether gradients flow through the teacher
    frozen_epochs: int = 0  # the embedding stays as it is so long, a fixed target


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    learning_rate: float = 1.0  # of SGD
    full_epochs: int = 5  # epochs at that rate
    decay: float = 0.9  # what the rate is multiplied by in every epoch after that
    clip_norm: float | None = 5.0  # global gradient norm; None: not clipped


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.tying` runs."""

    batch_size: int = 20  # lanes of text, over all devices
    unroll: int = 35  # tokens of a lane in one step
    num_epochs: float = 40.0  # where num_steps is None
    eval_lanes: int = 10  # of the evaluations while training; the last figures are of one lane
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)

    def check(self) -> None:
        super().check()
        check_bounds(
            self,
            at_least_1=("unroll", "eval_lanes", "model.hidden_size", "model.num_layers"),
            at_least_0=("model.gamma", "model.frozen_epochs", "model.init_scale",
                        "optimizer.full_epochs"),
            above_0=("num_epochs", "model.temperature", "model.initial_temperature",
                     "model.temperature_epochs", "optimizer.learning_rate", "optimizer.decay",
                     "optimizer.clip_norm"),
            fractions=("model.dropout",),
        )  # fmt: skip


VARIANTS = {"baseline": (False, False), "al": (False, True), "re": (True, False),
            "real": (True, True)}  # fmt: skip


def with_variant(model: ModelConfig, variant: str) -> ModelConfig:
    """The model as one of the paper's variants: "baseline", "al", "re" or "real"."""
    if variant not in VARIANTS:
        raise InputError(f"no variant {variant!r}; there are {', '.join(VARIANTS)}.")
    reuse_embedding, augmented_loss = VARIANTS[variant]
    return dataclasses.replace(
        model, reuse_embedding=reuse_embedding, augmented_loss=augmented_loss
    )


def published_config(
    spec: str, sizes: dict[str, tuple[ModelConfig, OptimizerConfig, float]], path: str
) -> Config:
    """The config of a row of the paper's tables.

    Args:
        spec: "SIZE-VARIANT", as "small-real".
        sizes: model, optimizer and number of epochs by size.
        path: the text's folder.
    """
    size, _, variant = spec.partition("-")
    if size not in sizes or variant not in VARIANTS:
        raise InputError(
            f"{spec!r} is not SIZE-VARIANT; sizes are {', '.join(sizes)}, variants "
            f"{', '.join(VARIANTS)}."
        )
    model, optimizer, num_epochs = sizes[size]
    return Config(
        num_epochs=num_epochs,
        data=DataConfig(path=path),
        model=with_variant(model, variant),
        optimizer=optimizer,
    )


def describe(config: Config) -> str:
    """The paper's name of a model: VD-LSTM, with AL, RE or REAL."""
    model = config.model
    names = {(False, False): "", (True, False): "+RE", (False, True): "+AL", (True, True): "+REAL"}
    name = "VD-LSTM" if model.dropout else "LSTM"
    return f"{name}{names[model.reuse_embedding, model.augmented_loss]} {model.hidden_size}"
