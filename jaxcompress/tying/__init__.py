"""Language models with one table for input and output, trained with the augmented loss.

Inan, Khosravi & Socher, "Tying Word Vectors and Word Classifiers: A Loss Framework for Language
Modeling", ICLR 2017, arXiv 1611.01462. `softmax_loss.py` has the loss, `model.py` the model,
`predict.py` what a trained model says.
"""

from typing import TYPE_CHECKING

from jaxcompress.tying.config import (
    VARIANTS,
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    published_config,
    with_variant,
)

if TYPE_CHECKING:
    from jaxcompress.tying.run import Outcome

__all__ = [
    "VARIANTS",
    "Config",
    "DataConfig",
    "ModelConfig",
    "OptimizerConfig",
    "published_config",
    "train",
    "with_variant",
]


def train(config: Config, workdir: str) -> "Outcome":
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.

    Returns:
        The parameters of the best state, the words, and the figures of `summary.json`.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    from jaxcompress.tying.run import train  # here, since it needs jax

    return train(config, workdir)
