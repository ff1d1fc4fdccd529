"""The protocol between a method and the training loop: pure functions and one state.

A batch is what the feed's `gather` makes: a dictionary of arrays with leading axis B. Its keys are
the method's own and stand at its `make_task`, but for one: the batches of an evaluation have
`mask` bool [B], or [B, T], false where a row is padding. Sums are a dictionary of float32 arrays
that add up over batches; `count`, a scalar, is there always.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import numpy as np

PyTree = Any


def _no_carry(batch_size: int) -> tuple[()]:
    return ()


def unchanged(
    step: jax.Array, key: jax.Array, params: PyTree, aux: PyTree, sums: dict
) -> tuple[PyTree, PyTree]:
    """The `after_eval` of a method that changes nothing there."""
    return params, aux


def _nothing(metrics: dict[str, float]) -> None:
    """The `remark` of a method that has none."""


def mean_metrics(sums: dict[str, np.ndarray]) -> dict[str, float]:
    """Divides every scalar sum by `count`, once."""
    count = float(sums["count"])
    return {k: float(v) / count for k, v in sums.items() if k != "count" and np.ndim(v) == 0}


class Task(NamedTuple):
    """What a method gives the loop; every function is pure.

    Attributes:
        init: `key -> params, aux`. `params` are trained; `aux` are arrays that the method needs
            and the optimiser leaves alone.
        loss: `params, aux, carry, batch, step, key -> loss, (carry, metrics)`: the mean over the
            batch, the recurrent state for the next batch, and scalar means to log. `step` is
            int32 []: what a schedule of the method's own depends on.
        evaluate: `params, aux, carry, batch -> carry, sums`: sums over the batch's rows that
            `batch["mask"]` marks, with `count` among them; the loop adds them up.
        init_carry: `batch_size -> carry`; `()` for a method without recurrent state.
        after_eval: `step, key, params, aux, sums -> params, aux`: what a method changes between
            steps, given the evaluations' sums by their names.
        metrics: `sums -> {name: figure}`, floats, on the host: the totals of a whole evaluation in
            float64, divided once.
        remark: `metrics of a step -> a line`, floats, on the host: what a user should know of them,
            told once; None: nothing.
    """

    init: Callable[..., Any]
    loss: Callable[..., Any]
    evaluate: Callable[..., Any]
    init_carry: Callable[[int], Any] = _no_carry
    after_eval: Callable[..., Any] = unchanged
    metrics: Callable[[dict], dict[str, float]] = mean_metrics
    remark: Callable[[dict[str, float]], str | None] = _nothing


@flax.struct.dataclass
class TrainState:
    """Everything a run needs to go on. All replicated but `carry`, which is split over the batch.

    Attributes:
        step: int32 []: the number of steps taken, which is also the position in the data.
        params: the trained parameters.
        opt_state: the optimiser's state.
        aux: the method's own arrays.
        carry: recurrent state, leading axis = batch.
    """

    step: jax.Array
    params: PyTree
    opt_state: PyTree
    aux: PyTree
    carry: PyTree
