"""Anchor & Transform on ratings, and the tables that it is judged against.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197. The table itself, its growth (NBANT) and its optimiser
are in `jaxcompress/anchors`; here are the model of a rating, the baselines, and the run.
"""

from typing import TYPE_CHECKING

from jaxcompress.ant.config import (
    Config,
    DataConfig,
    GrowthConfig,
    ModelConfig,
    OptimizerConfig,
    PenaltyConfig,
    StreamConfig,
)
from jaxcompress.ant.published import METHODS, published_config

if TYPE_CHECKING:
    from jaxcompress.ant.run import Outcome

__all__ = [
    "METHODS",
    "Config",
    "DataConfig",
    "GrowthConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PenaltyConfig",
    "StreamConfig",
    "published_config",
    "train",
]


def train(config: Config, workdir: str) -> "Outcome":
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.

    Returns:
        The tables, or None if nothing in them is sparse, and the figures of `summary.json`.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    from jaxcompress.ant.run import train  # here, since it needs jax

    return train(config, workdir)
