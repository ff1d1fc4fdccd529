"""Deep compositional code learning: a trained table becomes codes and codebooks.

Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning", ICLR 2018,
arXiv 1711.01068. A row becomes M codes in [0, K) and is read back as the sum of M codewords, one of
each of M codebooks. An encoder and the codebooks are trained together, as an autoencoder whose
middle is M draws from Gumbel-softmax distributions.

`config.py` has what can be set, `model.py` the paper's equations, `task.py` the loss, the
evaluation and the optimiser, `prepare.py` the way from a table to a job, `run.py` the run;
`revive.py` lets unused codewords start anew, `export.py` makes codes of a trained state, `learn.py`
refines and keeps them, `split.py` says how a large table is split by rows, `sweep.py` compares
sizes, `neighbours.py` compares words before and after.

Departures from the paper, each off in `configs/glove_paper.py`:

- Rows are centred and scaled to unit variance, so that one learning rate serves any table
  (`model.normalize`; `model.py`).
- Codewords that no row uses start anew beside those used most (`model.revive`; `revive.py`).
- The learning rate falls along a cosine, the temperature falls, gradients are not clipped
  (`task.py`).
- The encoder is twice as wide: it is not part of what is stored (`config.hidden_size`).
- Codes and codebooks are refined after training (`learn.py`, with `jaxcompress/codes/refine.py`).
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
