"""A classifier of texts, by which vectors are judged at work.

The task of Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning",
ICLR 2018, arXiv 1711.01068, section 5.2: an LSTM of 150 units reads a review word by word; a linear
layer tells its class. What gives words their vectors is an argument: see `token_embeddings.py`.

Axis letters: B texts, T tokens, D dimensions of a vector, H units, C classes.

Departures from the paper, which leaves these open: dropout is variational, one mask for a whole
text, of vectors and of the LSTM's outputs; forget gates start open.
"""

import dataclasses
from pathlib import Path

from jaxcompress.codes.files import CODES_FILE
from jaxcompress.engine.config import RunConfig, check_bounds
from jaxcompress.errors import InputError

FROM_SCRATCH = ("ant", "dense")


EMBEDDINGS = ("frozen", "finetune_codebooks", *FROM_SCRATCH)


POOLINGS = ("mean", "last")


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    source: str = "planted"  # "aclImdb", "tfds:NAME", a CSV file of text,label, or "planted"
    valid: str | None = None  # a CSV file too; None: `valid_texts` of the texts to train on
    test: str | None = None  # a CSV file, where the source is one
    valid_texts: int | None = None  # None: a tenth, at most 2,500
    max_tokens: int = 400  # a longer text is cut
    keep: str = "first"  # which of its tokens are kept: the "first" or the "last"
    max_vocab: int = 30_000  # words, by frequency, of an embedding that is learned from scratch
    tensor: str | None = None  # which matrix of vectors in a .safetensors file
    bucket_width: int = 50  # texts of a batch are padded to a multiple of so many tokens


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    hidden_size: int = 150  # H
    pooling: str = "mean"  # of the LSTM's outputs over a text's tokens; "last": its last output
    dropout: float = 0.3  # part of the vector's dimensions and of the LSTM's outputs
    dim: int = 100  # D of an embedding that is learned from scratch
    num_anchors: int = 50  # of embedding "ant"


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    learning_rate: float = 1e-3  # of Adam, and of Yogi for embedding "ant"; falls to 0 (cosine)
    clip_norm: float | None = 5.0  # global gradient norm; None: not clipped
    penalty: float = 3e-5  # of the L1 norm of embedding "ant"'s transform


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.sentiment` runs."""

    batch_size: int = 64  # texts
    steps_per_dispatch: int = 1  # batches differ in length
    num_epochs: float = 5.0  # where num_steps is None
    num_seeds: int = 1  # runs, of seeds `seed`, `seed + 1`, ...
    vectors: str | None = None  # what train.dccl reads, or codes; "stdlib"
    embedding: str = "frozen"  # "frozen"; "finetune_codebooks": codes fixed, codebooks trained;
    # from scratch: "ant": sparse mixes of anchors, "dense"
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)

    def check(self) -> None:
        super().check()
        check_bounds(
            self,
            at_least_1=("num_seeds", "data.valid_texts", "data.max_tokens", "data.bucket_width",
                        "model.hidden_size", "model.dim", "model.num_anchors"),
            at_least_0=("optimizer.penalty",),
            above_0=("num_epochs", "optimizer.learning_rate", "optimizer.clip_norm"),
            fractions=("model.dropout",),
            choices={"embedding": EMBEDDINGS, "model.pooling": POOLINGS,
                     "data.keep": ("first", "last")},
        )  # fmt: skip
        if self.data.max_vocab < 2:
            raise InputError(f"data.max_vocab is {self.data.max_vocab}; it must be at least 2.")
        if self.steps_per_dispatch != 1:
            raise InputError(
                f"steps_per_dispatch is {self.steps_per_dispatch}; it must be 1 here, since "
                "batches differ in length."
            )


def describe(config: Config) -> str:
    """A run's embedding, in words."""
    if config.vectors is None:
        return {"ant": "ANT, from scratch", "dense": "dense, from scratch"}[config.embedding]
    return f"{name_of_table(config.vectors)}, {config.embedding.replace('_', ' ')}"


def name_of_table(path: str) -> str:
    """Of a file its name, or else that of the run it was made by."""
    parts = Path(path).parts
    names = [part for part in parts if part not in ("export", CODES_FILE, "/")]
    return (names or parts)[-1]
