"""What a language model's run can be told: text, model, optimiser; and the paper's variants.

Inan, Khosravi & Socher, ICLR 2017, arXiv 1611.01462. Axis letters: D units.
"""

import dataclasses

from jaxcompress.engine.config import RunConfig, setting
from jaxcompress.errors import InputError


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    """The text, and vectors to begin with."""

    # a folder with train, valid and test files, or "stdlib"
    path: str = setting("stdlib", may_change=True)
    vocabulary: str | None = None  # a file, a word a line; None: the words of the training split
    max_vocab: int | None = None  # number of words to keep, by frequency; None: all
    # first values of the embedding: a file that train.dccl reads, or codes; None: random ones
    vectors: str | None = None
    tensor: str | None = None  # name of a tensor in a .safetensors file; None: its only matrix


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    """The LSTM, and which of the paper's two ideas it uses."""

    hidden_size: int = setting(200, at_least=1)  # D, units of the embedding and of each layer
    num_layers: int = setting(2, at_least=1)  # layers of the LSTM
    # share of the units that is dropped, by one mask for a sequence
    dropout: float = setting(0.3, at_least=0, below=1)
    # weights start uniform in [-init_scale, init_scale]
    init_scale: float = setting(0.1, at_least=0)
    reuse_embedding: bool = False  # RE: whether the embedding is the classifier, without bias
    augmented_loss: bool = False  # AL: whether the loss has the divergence from the teacher
    gamma: float = setting(0.65, at_least=0)  # weight alpha of the divergence = gamma * temperature
    # tau of the teacher, and of the softmax that learns from it
    temperature: float = setting(20.0, above=0)
    # tau at the first step, raised geometrically to `temperature`; None: as `temperature`
    initial_temperature: float | None = setting(None, above=0)
    temperature_epochs: float = setting(1.0, above=0)  # epochs in which it is raised
    teacher_gradient: bool = False  # whether gradients flow through the teacher
    frozen_epochs: int = setting(0, at_least=0)  # epochs in which the embedding stays as it is


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    """SGD and its schedule."""

    learning_rate: float = setting(1.0, above=0)  # SGD's in the first epochs
    full_epochs: int = setting(5, at_least=0)  # epochs at that rate
    decay: float = setting(0.9, above=0)  # factor of the rate in every later epoch
    # bound of the global gradient norm; None: no bound
    clip_norm: float | None = setting(5.0, above=0)


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.tying` runs."""

    batch_size: int = setting(20, at_least=1)  # lanes of text, over all devices
    unroll: int = setting(35, at_least=1)  # tokens of a lane in one step
    num_epochs: float = setting(40.0, above=0)  # epochs, if num_steps is None
    # lanes of the evaluations while training; the last figures are of one lane
    eval_lanes: int = setting(10, at_least=1)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)


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
