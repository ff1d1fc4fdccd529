"""The best state of a run that writes nothing: kept on the devices, by the rule of checkpoints."""

import math
from collections.abc import Mapping
from typing import Any

import jax

from jaxcompress.engine.checkpoint import Restored


class BestInMemory:
    """Keeps the state of the least metric, and of equal ones the latest; without its `opt_state`.

    It has the methods of `Checkpoints` that the loop calls between its steps.

    Args:
        metric: the metric of `save` by which the best is kept.
    """

    def __init__(self, metric: str):
        self._metric, self._least = metric, math.inf
        self._best: Restored | None = None

    def save(
        self,
        step: int,
        state: Any,
        progress: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Keeps a copy of the state if it is the best so far: the next step donates its arrays."""
        if metrics is None or metrics[self._metric] > self._least:
            return
        self._least = metrics[self._metric]
        copy = jax.tree.map(lambda leaf: leaf.copy(), state.replace(opt_state=()))
        self._best = Restored(step, copy, progress)

    def restore_best(self, like: Any) -> Restored | None:
        """Gives the best state; None if none had a metric."""
        return self._best

    def close(self) -> None:
        """Does nothing; the states of `Checkpoints` are on their way to a disk."""
