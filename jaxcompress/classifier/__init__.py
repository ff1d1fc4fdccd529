"""A classifier of texts, by which tables of words are judged at work.

The task of Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning",
ICLR 2018, arXiv 1711.01068, section 5.2: an LSTM reads a text, a linear layer tells its class. The
words' vectors are given, as they are or as codes, or are learned with the task.

- `config.py`: what can be set; its classes are listed here.
- `model.py`: the LSTM, what is classified of its outputs; or the mean of the vectors alone.
- `task.py`: the loss, dropout, the optimiser.
- `corpus.py`: the texts as numbers. `feeds.py`: their batches. `prepare.py`: from texts, a table
  and a config to a job.
- `linear.py`: a linear layer over the mean of vectors that are not trained, solved in seconds.
- `choose.py`: what a config leaves open, and is chosen on validation texts.
- `run.py`: `train` and the other modes. `export.py`: the file of a table that was learned.
- `compare.py`: the same classifier on several tables.

Each departure from the paper stands where it happens: `pool` and `_open_forget_gates` in
`model.py`, `dropout_masks` and `make_optimizer` in `task.py`, and `tables/whitening.py`.
"""

from typing import TYPE_CHECKING

from jaxcompress.classifier.config import (
    EMBEDDINGS,
    FROM_SCRATCH,
    NETWORKS,
    POOLINGS,
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
)

if TYPE_CHECKING:
    from jaxcompress.classifier.run import Outcome

__all__ = [
    "EMBEDDINGS",
    "FROM_SCRATCH",
    "NETWORKS",
    "POOLINGS",
    "Config",
    "DataConfig",
    "ModelConfig",
    "OptimizerConfig",
    "train",
]


def train(config: Config, workdir: str) -> "Outcome":
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.

    Returns:
        The figures of `summary.json`, and those of each seed.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    from jaxcompress.classifier.run import train  # here, since it needs jax

    return train(config, workdir)
