"""A classifier of texts that judges tables of words: vectors, codes, or tables learned with it.

The task of Shu & Nakayama, ICLR 2018, arXiv 1711.01068, section 5.2: an LSTM reads a text, a linear
layer tells its class.
"""

from typing import TYPE_CHECKING

from jaxcompress.classifier.config import (
    EMBEDDINGS,
    FROM_SCRATCH,
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
