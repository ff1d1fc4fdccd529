"""What can be set of a run: texts, table of words, model, optimiser.

Axis letters: D dimensions of a vector, H units, K anchors, R numbers of a row of low rank.
"""

import dataclasses
from pathlib import Path

from jaxcompress.anchors.files import ANCHORS_FILE
from jaxcompress.codes.files import CODES_FILE
from jaxcompress.engine.config import RunConfig, setting

# embeddings that are learned without given vectors
FROM_SCRATCH = ("ant", "nbant", "dense", "low_rank", "hashed")
EMBEDDINGS = ("frozen", "finetune_codebooks", *FROM_SCRATCH)
NETWORKS = ("lstm", "mean")
POOLINGS = ("mean", "last")


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    """The labelled texts."""

    # "aclImdb", "tfds:NAME", a CSV or TSV file of text,label, or "planted"
    source: str = setting("planted", may_change=True)
    # a CSV or TSV file to choose the best state by; None: the source's own split, if it has one, or
    # else `valid_texts` of the texts to train on
    valid: str | None = setting(None, may_change=True)
    # a CSV or TSV file to test by; None: the source's own split
    test: str | None = setting(None, may_change=True)
    # columns of CSV and TSV files without a header, in their order, as in label,text; one that is
    # named otherwise than text, label, title, description is not read; (): the rows tell them
    columns: tuple[str, ...] = ()
    # number of texts to train on that are held out to choose by; None: a tenth, at most 2,500
    valid_texts: int | None = setting(None, at_least=1)
    # tokens of a text; a longer one is cut; None: the network "mean" reads all of every text, the
    # LSTM all of 19 in 20 of those to train on, but no more than 1,000 tokens
    max_tokens: int | None = setting(400, at_least=1)
    keep: str = setting("first", one_of=("first", "last"))  # which tokens of a longer text are kept
    # number of words, by frequency, of an embedding that is learned from scratch
    max_vocab: int = setting(30_000, at_least=2)
    tensor: str | None = None  # a matrix of a .safetensors or .npz file; None: the only one
    # texts are padded to a multiple of so many tokens; None: about a tenth of `max_tokens`
    bucket_width: int | None = setting(50, at_least=1)


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    """The network, and an embedding that is learned from scratch."""

    # "lstm"; "mean": the mean of a text's vectors, and the linear layer alone; None: the one that
    # has the lower cross-entropy on validation texts, the LSTM after a third of the epochs
    network: str | None = setting("lstm", one_of=NETWORKS)
    hidden_size: int = setting(150, at_least=1)  # H, units of the LSTM
    # which output of the LSTM is classified: the "mean" over a text's tokens, or the "last"
    pooling: str = setting("mean", one_of=POOLINGS)
    # share of a vector's dimensions, and of the LSTM's outputs, that is dropped
    dropout: float = setting(0.3, at_least=0, below=1)
    dim: int = setting(100, at_least=1)  # D of an embedding that is learned from scratch
    num_anchors: int = setting(50, at_least=1)  # K of embedding "ant"; "nbant" starts with it
    max_anchors: int = setting(200, at_least=1)  # "nbant": K at most
    delta: int = setting(10, at_least=1)  # "nbant": anchors that join or leave at an evaluation
    # "nbant": lambda1, what an anchor costs in its objective, in nats a text
    anchor_penalty: float = setting(1e-4, at_least=0)
    rank: int = setting(16, at_least=1)  # R of embedding "low_rank"
    num_rows: int = setting(1000, at_least=2)  # rows that words share, of embedding "hashed"
    # whether words that are there once stand for the unknown one in half of the steps, in an
    # embedding that is learned from scratch; else its row is learned only if words were left out
    learn_unknown: bool = setting(True, earlier=False)


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    """Adam, or Yogi for the transform of anchors; the rate falls to 0 along a cosine."""

    learning_rate: float = setting(1e-3, above=0)  # at the first step, for Adam and for Yogi
    # bound of the global gradient norm; None: no bound
    clip_norm: float | None = setting(5.0, above=0)
    # rate of an embedding that is learned from scratch; 0: `learning_rate`; None: 0.01, or about
    # three times more or less while that serves validation texts, each after a third of the epochs
    table_rate: float | None = setting(None, at_least=0, earlier=0.0)
    penalty: float = setting(3e-5, at_least=0)  # weight of T's L1 norm in "ant", "nbant"
    # weight of the L2 norm of the linear layer, with network "mean" over a table that is not
    # trained; None: the best of a grid on validation texts
    l2: float | None = setting(None, above=0)


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.sentiment` runs."""

    batch_size: int = setting(64, at_least=1)  # texts per step, over all devices
    # steps that one call to the device takes; always one, since batches differ in length
    steps_per_dispatch: int = setting(1, at_least=1, at_most=1)
    num_epochs: float = setting(5.0, above=0)  # passes over the texts, if num_steps is None
    num_seeds: int = setting(1, at_least=1)  # runs, of seeds `seed`, `seed + 1`, ...
    # path of vectors that train.dccl reads, of codes or anchors, or of the workdir that made them;
    # or "stdlib"; None: the embedding is learned from scratch
    vectors: str | None = setting(None, may_change=True)
    # "frozen": a given table as it is; "finetune_codebooks": given codes, trained
    # codebooks; from scratch "ant": sparse mixes of anchors; "nbant": the same, of as many anchors
    # as serve validation texts; "dense": a matrix; "low_rank"; "hashed": rows that words share
    embedding: str = setting("frozen", one_of=EMBEDDINGS)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)


def describe(config: Config) -> str:
    """Names a run's table, what becomes of it, and the network unless it is an LSTM.

    >>> describe(Config(vectors="out/glove/export/model.safetensors"))
    'glove, frozen'
    >>> describe(Config(embedding="ant", model=ModelConfig(network="mean")))
    'ANT, from scratch, mean'
    """
    network = ", mean" if config.model.network == "mean" else ""
    if config.vectors is None:
        names = {"ant": "ANT", "nbant": "NBANT", "low_rank": "low rank"}
        return f"{names.get(config.embedding, config.embedding)}, from scratch{network}"
    return f"{name_of_table(config.vectors)}, {config.embedding.replace('_', ' ')}{network}"


def name_of_table(path: str) -> str:
    """Names a table by its file; codes and anchors in a workdir, by the workdir.

    >>> name_of_table("data/w2v.300d.npy"), name_of_table("out/glove/export/model.safetensors")
    ('w2v.300d.npy', 'glove')
    """
    parts = Path(path).parts
    names = [part for part in parts if part not in ("export", CODES_FILE, ANCHORS_FILE, "/")]
    return (names or parts)[-1]
