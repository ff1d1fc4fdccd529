"""Anchor & Transform on ratings, and the tables that it is judged against.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197. A rating is predicted from a user's row and an item's
row, and both tables are sparse mixes of anchors, learned with the task. The tables themselves, the
rule by which they grow (NBANT) and their optimiser are in `jaxcompress/anchors`.

- `config.py`: what can be set; its classes are listed here. `published.py`: the settings of each
  method that figures of this project are of.
- `model.py`: the prediction. `baselines.py`: dense tables, mixed dimensions, a deeper network.
  `effects.py`: the simplest predictions, which stand beside each run.
- `task.py`: the loss, its penalties, the optimiser. `adapt.py`: what changes between steps.
- `starts.py`: first values. `clusters.py`: a short dense run, for first values from clusters.
- `schedule.py`: the phases. `plan.py`: splits and windows. `prepare.py`: from ratings and a config
  to a job.
- `run.py`: `train` and the other modes. `summary.py`: its figures. `export.py`: what it leaves.
  `inspect.py`, `rank.py`, `compare.py`: what its anchors stand for, whom it would recommend what,
  runs side by side.

Departures from the paper: those of `jaxcompress/anchors`, and all but the table itself in
`published.py`, where the settings of the authors' code stand beside ours.
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
    from collections.abc import Sequence

    from jaxcompress.ant.inspect import Anchor
    from jaxcompress.ant.rank import Ranking
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
    "inspect_anchors",
    "published_config",
    "rank_items",
    "train",
]

# What needs jax is imported when it is called, so that a config is made without it.


def train(config: Config, workdir: str) -> "Outcome":
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.

    Returns:
        The tables and the figures of `summary.json`.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    from jaxcompress.ant.run import train

    return train(config, workdir)


def inspect_anchors(workdir: str, num_items: int = 8, side: str = "items") -> "list[Anchor]":
    """Looks at each anchor of the items, or of the users, of a run, trained or half-trained.

    Args:
        workdir: the run's folder.
        num_items: items, and users, to show of each anchor, at most.
        side: "items" or "users".

    Returns:
        Of each anchor its items of most weight, and the genre that they share; of one of users the
        users of most weight, and the items whose ratings it raises most.

    Raises:
        InputError: if there is no run, or its tables have no anchors.
    """
    from jaxcompress.ant.run import inspect_anchors

    return inspect_anchors(workdir, num_items, side)


def rank_items(
    workdir: str, k: "int | Sequence[int]" = (10, 50), threshold: float = 3.5
) -> "Ranking":
    """Ranks all items of each user by a run, trained or half-trained, without those it has seen.

    Args:
        workdir: the run's folder.
        k: items recommended to each user, at most, one number or several.
        threshold: the least rating of a relevant item; pairs without ratings are all relevant.

    Returns:
        Of each user recall, NDCG and hit rate at each k, beside popularity and item means.

    Raises:
        InputError: if there is no run, k is less than 1, or no rating is as large as the
            threshold.
    """
    from jaxcompress.ant.run import rank_items

    return rank_items(workdir, k, threshold)
