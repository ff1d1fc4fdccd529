"""Figures of steps and of evaluations, each of which must be finite."""

from collections.abc import Mapping

import jax
import numpy as np

from jaxcompress.engine.log import MetricsLog
from jaxcompress.engine.task import Task
from jaxcompress.errors import NonFiniteLoss


def log_steps(log: MetricsLog, log_every: int, first: int, metrics: dict[str, jax.Array]) -> None:
    """Fetches a dispatch's metrics, checks the losses, logs the steps that are due.

    Args:
        log: where they go.
        log_every: steps between lines.
        first: steps taken before the dispatch.
        metrics: name -> [steps], on the devices.

    Raises:
        NonFiniteLoss: with the step.
    """
    values = jax.device_get(metrics)
    finite = np.isfinite(values["loss"])
    if not finite.all():
        i = int(np.argmin(finite))
        raise NonFiniteLoss(_not_finite(f"the loss of step {first + i + 1:,}", values["loss"][i]))
    for i in range(len(values["loss"])):
        step = first + i + 1
        if step % log_every == 0:
            log.write(step, {f"train_{name}": value[i] for name, value in values.items()})
    log.progress(first + len(values["loss"]), float(values["loss"][-1]))


def figures_of(task: Task, sums: Mapping[str, dict], step: int) -> dict[str, float]:
    """Gives the figures of all evaluations, as `NAME_figure`.

    Raises:
        NonFiniteLoss: if one is not finite, so that its state is not saved.
    """
    figures = {
        f"{name}_{figure}": value
        for name, some in sums.items()
        for figure, value in task.metrics(some).items()
    }
    for name, value in figures.items():
        if not np.isfinite(value):
            raise NonFiniteLoss(_not_finite(f"{name} after step {step:,}", value))
    return figures


def _not_finite(what: str, value: float) -> str:
    return f"{what} is {value}; lower optimizer.learning_rate. The last good checkpoint is kept."
