"""The settings of each method over ratings that the figures of this project are of.

"ant-paper" and "nbant-paper" are those of the reference implementation of Liang et al. (2021); but
"nbant-paper" starts at 10 anchors, as the paper does, and the reference's command at 20.
"""

import dataclasses
from typing import Any, NamedTuple

from jaxcompress.ant.config import (
    Config,
    GrowthConfig,
    ModelConfig,
    OptimizerConfig,
    PenaltyConfig,
)
from jaxcompress.ant.schedule import DEBIAS_SHARE
from jaxcompress.errors import InputError


class _Method(NamedTuple):
    """How a method differs from the others; settled on validation ratings.

    Attributes:
        table: what rows come from.
        network: what makes a rating of two rows.
        num_epochs: passes over the training ratings.
        num_anchors: K of both tables, or what NBANT starts with.
        l1: penalty of the entries' L1 norm.
        l2: penalty of the squared norms of a rating's rows.
        prunes: whether entries go until a number of parameters is left.
        selection: which entries go first.
        grows: whether the number of anchors is sought.
    """

    table: str = "anchors"
    network: str = "product"
    num_epochs: float = 45.0
    num_anchors: int = 32
    l1: float = 0.0
    l2: float = 0.04
    prunes: bool = False
    selection: str = "saliency"
    grows: bool = False


_METHODS = {
    "mf": _Method(table="dense"),
    "mixdim": _Method(table="mixed"),
    "ant": _Method(prunes=True),
    "nbant": _Method(num_epochs=60.0, num_anchors=10, l2=0.03, prunes=True, grows=True),
    "sparse": _Method(table="dense", l1=3e-6),
    "pruned": _Method(table="dense", l1=1e-6, prunes=True, selection="magnitude"),
    "ncf": _Method(table="dense", network="ncf", l2=0.0),
    "ncf-ant": _Method(network="ncf", l2=0.0, prunes=True),
}
_REFERENCE = {  # groups of fields as the reference sets them
    "ant-paper": {
        "model": ModelConfig(user_anchors=10, item_anchors=15, biases=False),
        "penalty": PenaltyConfig(transform=2e-6),
        "growth": GrowthConfig(anchor_penalty=0.1, nonzero_penalty=2e-6, rule="trend"),
    },
    "nbant-paper": {
        "model": ModelConfig(user_anchors=10, item_anchors=10, biases=False),
        "penalty": PenaltyConfig(transform=2e-6),
        "growth": GrowthConfig(
            enabled=True, anchor_penalty=0.1, nonzero_penalty=2e-6, rule="trend"
        ),
    },
}
METHODS = (*_METHODS, *_REFERENCE)
_FASTER = 3  # as many times fewer epochs are as good where Yogi's eps is that of the batch


def published_config(
    method: str, *, num_parameters: int | None = None, share: float | None = None, **settings: Any
) -> Config:
    """Makes the config of a method, as far as it does not depend on the data.

    Args:
        method: one of `METHODS`.
        num_parameters: what methods that prune come down to.
        share: the same as a share of a dense table, for ratings of any size: batch size, Yogi's
            eps, L2 and the number of anchors follow from the ratings then.
        **settings: further fields of `Config`.

    Raises:
        InputError: if there is no such method.
    """
    if method not in METHODS:
        raise InputError(f"no method {method!r}; there are {', '.join(METHODS)}.")
    if method in _REFERENCE:
        groups = {name: dataclasses.replace(part) for name, part in _REFERENCE[method].items()}
        return Config(**{"num_epochs": 50.0, **settings, **groups})
    own, is_open = _METHODS[method], share is not None
    anchors = None if is_open and own.table == "anchors" and not own.grows else own.num_anchors
    length: dict[str, Any] = {"num_epochs": own.num_epochs}
    if is_open:
        length = {"num_epochs": own.num_epochs / _FASTER, "batch_size": None}
    return Config(
        **{**length, **settings},
        model=ModelConfig(
            table=own.table,
            network=own.network,
            user_anchors=anchors,
            item_anchors=anchors,
        ),
        penalty=PenaltyConfig(
            transform=own.l1,
            l2=None if is_open else own.l2,
            num_parameters=num_parameters if own.prunes else None,
            share=share if own.prunes else None,
            selection=own.selection,
        ),
        growth=GrowthConfig(
            enabled=own.grows, max_anchors=48, anchor_penalty=5e-5, nonzero_penalty=1e-8
        ),
        optimizer=OptimizerConfig(cooldown=DEBIAS_SHARE, eps=None if is_open else 1e-3),
    )
