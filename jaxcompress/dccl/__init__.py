"""Deep compositional code learning: a trained table becomes codes and codebooks.

Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning", ICLR 2018,
arXiv 1711.01068. `config.py` has what can be set, `model.py` the paper's equations, `task.py` what
is trained, `prepare.py` the way from a table to a job, `run.py` the run.
"""

from typing import TYPE_CHECKING

from jaxcompress.codes.config import RefineConfig
from jaxcompress.dccl.config import (
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    SweepConfig,
    hidden_size,
)

if TYPE_CHECKING:
    from jaxcompress.dccl.run import Outcome

__all__ = [
    "Config",
    "DataConfig",
    "ModelConfig",
    "OptimizerConfig",
    "RefineConfig",
    "SweepConfig",
    "hidden_size",
    "train",
]


def train(config: Config, workdir: str) -> "Outcome":
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.

    Returns:
        The codes of all rows, and the figures of `summary.json`.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    from jaxcompress.dccl.run import train  # here, since it needs jax

    return train(config, workdir)
