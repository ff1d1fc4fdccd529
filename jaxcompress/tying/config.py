"""What can be set of a run: text, model, optimiser; and the paper's four variants by name.

Axis letters: V words, D units.
"""

import dataclasses
from collections.abc import Mapping

from jaxcompress.engine.config import RunConfig, setting
from jaxcompress.errors import InputError
from jaxcompress.tables.config import TableConfig


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    """The text, and the vectors that the embedding starts from."""

    # a folder with train, valid and test files, or "stdlib": the standard library's English
    path: str = setting("stdlib", may_change=True)
    # a file of the words, one per line; None: the words of the training split
    vocabulary: str | None = None
    # V at most, the most frequent words, `<eos>` and `<unk>` included; None: all words
    max_vocab: int | None = setting(None, at_least=3)
    # path of vectors that train.dccl reads, or of codes or anchors, for the first values of the
    # embedding; None: they are random
    vectors: str | None = None
    tensor: str | None = None  # a matrix of a .safetensors or .npz file; None: the only one


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    """The LSTM, and which of the paper's two ideas it uses."""

    hidden_size: int = setting(200, at_least=1)  # D, units of the embedding and of each layer
    num_layers: int = setting(2, at_least=1)  # layers of the LSTM
    # share of the units that is dropped, by one mask for `unroll` tokens; 0: none
    dropout: float = setting(0.3, at_least=0, below=1)
    # weights start uniform in [-init_scale, init_scale]
    init_scale: float = setting(0.1, at_least=0)
    reuse_embedding: bool = False  # RE: whether the embedding is the classifier, without bias
    augmented_loss: bool = False  # AL: whether the divergence from the teacher is added to the loss
    gamma: float = setting(0.65, at_least=0)  # alpha / tau; alpha weighs the divergence
    # tau of the teacher, and of the softmax that learns from it
    temperature: float = setting(20.0, above=0)
    # tau at the first step, from which it goes geometrically to `temperature`; None: `temperature`
    initial_temperature: float | None = setting(None, above=0)
    temperature_epochs: float = setting(1.0, above=0)  # epochs until tau is `temperature`
    # tau is max |L_v|^2 / (max_sharpness ln V) at least; None: it has no such bound, and with RE
    # the teacher may become one-hot
    max_sharpness: float | None = setting(0.5, above=0, earlier=None)
    teacher_gradient: bool = False  # whether gradients flow through the teacher
    frozen_epochs: int = setting(0, at_least=0)  # epochs before the embedding is trained


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    """SGD and its schedule."""

    learning_rate: float = setting(1.0, above=0)  # SGD's in the first `full_epochs` epochs
    full_epochs: int = setting(5, at_least=0)  # epochs at that rate
    decay: float = setting(0.9, above=0)  # factor of the rate in each later epoch
    # bound of the global gradient norm; None: no bound
    clip_norm: float | None = setting(5.0, above=0)


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.tying` runs."""

    batch_size: int = setting(20, at_least=1)  # lanes of text that a step reads, over all devices
    unroll: int = setting(35, at_least=1)  # tokens of a lane that a step reads
    num_epochs: float = setting(40.0, above=0)  # passes over the text, if num_steps is None
    # lanes that the validation split is cut into during training; the figures of `summary.json` are
    # those of one lane
    eval_lanes: int = setting(10, at_least=1)
    # whether lanes begin elsewhere in each epoch, so that none leaves out the same tokens
    rotate_lanes: bool = setting(True, earlier=False)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    # the table of the input, with RE that of the output too
    embedding: TableConfig = dataclasses.field(default_factory=TableConfig)
    # the table of the output, without RE
    classifier: TableConfig = dataclasses.field(default_factory=TableConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)

    def check(self) -> None:
        """Raises InputError if a value is invalid, or values do not fit together."""
        super().check()
        if self.model.reuse_embedding and self.classifier.kind != "dense":
            raise InputError(
                f"classifier.kind is {self.classifier.kind!r}, but with model.reuse_embedding the "
                "embedding is the classifier; set --config.embedding.kind instead."
            )
        for name, table in self.table_configs().items():
            table.check(name)
        if self.data.vectors is not None and self.embedding.kind != "dense":
            raise InputError(
                f"data.vectors are first values of a dense embedding; embedding.kind is "
                f"{self.embedding.kind!r}; leave one of them out."
            )

    def table_configs(self) -> dict[str, TableConfig]:
        """Gives the config of each table that the model has, by the name of its parameter."""
        tables = {"embedding": self.embedding, "classifier": self.classifier}
        return {"embedding": self.embedding} if self.model.reuse_embedding else tables


# variant -> RE, AL: the values of `reuse_embedding` and `augmented_loss`
VARIANTS = {"baseline": (False, False), "al": (False, True), "re": (True, False),
            "real": (True, True)}  # fmt: skip


def with_variant(model: ModelConfig, variant: str) -> ModelConfig:
    """Makes a model one of the paper's variants: "baseline", "al", "re" or "real".

    >>> model = with_variant(ModelConfig(), "re")
    >>> model.reuse_embedding, model.augmented_loss
    (True, False)

    Raises:
        InputError: if there is no such variant.
    """
    if variant not in VARIANTS:
        raise InputError(f"no variant {variant!r}; there are {', '.join(VARIANTS)}.")
    reuse_embedding, augmented_loss = VARIANTS[variant]
    return dataclasses.replace(
        model, reuse_embedding=reuse_embedding, augmented_loss=augmented_loss
    )


def published_config(
    spec: str,
    sizes: Mapping[str, tuple[ModelConfig, OptimizerConfig, float]],
    *,
    path: str,
    batch_size: int,
    unroll: int,
) -> Config:
    """Makes the config of a row of the paper's tables.

    Args:
        spec: "SIZE-VARIANT", as "small-real".
        sizes: model, optimiser and number of epochs by size.
        path: the text's folder.
        batch_size: lanes of text.
        unroll: tokens of a lane in one step.

    Raises:
        InputError: if there is no such size or variant.
    """
    size, _, variant = spec.partition("-")
    if size not in sizes or variant not in VARIANTS:
        raise InputError(
            f"{spec!r} is not SIZE-VARIANT; sizes are {', '.join(sizes)}, variants "
            f"{', '.join(VARIANTS)}."
        )
    model, optimizer, num_epochs = sizes[size]
    return Config(
        batch_size=batch_size,
        unroll=unroll,
        num_epochs=num_epochs,
        data=DataConfig(path=path),
        model=with_variant(model, variant),
        optimizer=optimizer,
    )


def describe(config: Config) -> str:
    """Names a model as the paper does: VD-LSTM if it has dropout, with AL, RE or REAL; its units.

    Tables that are not dense follow.

    >>> describe(Config(model=with_variant(ModelConfig(hidden_size=650), "real")))
    'VD-LSTM+REAL 650'
    """
    model = config.model
    names = {(False, False): "", (True, False): "+RE", (False, True): "+AL", (True, True): "+REAL"}
    name = "VD-LSTM" if model.dropout else "LSTM"
    tables = {table: own.describe() for table, own in config.table_configs().items()}
    others = "".join(f", {t} {kind}" for t, kind in tables.items() if kind != "dense")
    variant = names[model.reuse_embedding, model.augmented_loss]
    return f"{name}{variant} {model.hidden_size}{others}"
