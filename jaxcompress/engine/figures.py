"""Figures of steps and of evaluations: whether they say that a run has come apart."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.engine.job import Job
from jaxcompress.engine.log import MetricsLog
from jaxcompress.errors import Diverged

_RISE = 10  # times the best figure: a run that gets there is stopped


class Seen(NamedTuple):
    """What a run has seen of the figure that is least in its best state; kept in checkpoints.

    Attributes:
        first: the figure of the first evaluation; None: there was none.
        least: the least one so far.
    """

    first: float | None = None
    least: float | None = None

    def after(self, value: float) -> "Seen":
        """What has been seen after one more evaluation."""
        return (
            Seen(value, value) if self.least is None else Seen(self.first, min(self.least, value))
        )

    def is_run_away(self, value: float) -> bool:
        """Whether a figure is tenfold the least, and worse than the first.

        The second, since a figure near zero rises tenfold by chance.

        >>> [Seen(100.0, 50.0).is_run_away(value) for value in (400.0, 600.0)]
        [False, True]
        """
        return self.least is not None and value > max(_RISE * self.least, self.first)


class Figures:
    """Logs the figures of a run, and ends it if they say that it has come apart.

    Args:
        job: the run's.
        log: where figures go.
        say: takes a line for the user.
        seen: what was seen before a run went on.
    """

    def __init__(self, job: Job, log: MetricsLog, say: Callable[[str], None], seen: Seen):
        self._job, self._log, self._say, self.seen = job, log, say, seen
        self._told: set[str] = set()

    def of_steps(self, first: int, metrics: dict[str, jax.Array]) -> None:
        """Fetches a dispatch's metrics, checks the losses, logs the steps that are due.

        Args:
            first: steps taken before the dispatch.
            metrics: name -> [steps], on the devices.

        Raises:
            Diverged: if a loss is not finite, with the step.
        """
        values = jax.device_get(metrics)
        losses = values["loss"]
        finite = np.isfinite(losses)
        if not finite.all():
            i = int(np.argmin(finite))
            raise Diverged(_diverged(f"the loss of step {first + i + 1:,} is {losses[i]}"))
        for i in range(len(losses)):
            step = first + i + 1
            if step % self._job.config.log_every == 0:
                self._log.write(step, {f"train_{name}": value[i] for name, value in values.items()})
        self._log.progress(first + len(losses), float(losses[-1]))
        line = self._job.task.remark({name: float(value[-1]) for name, value in values.items()})
        if line is not None and line not in self._told:
            self._told.add(line)
            self._say(f"note: after step {first + len(losses):,} {line}")

    def of_evaluation(self, sums: Mapping[str, dict], step: int) -> dict[str, float]:
        """Gives the figures of all evaluations, as `NAME_figure`, and logs them.

        Raises:
            Diverged: if one is not finite, or the one that is least in the best state has run away;
                so that the state is not saved.
        """
        figures = {
            f"{name}_{figure}": value
            for name, some in sums.items()
            for figure, value in self._job.task.metrics(some).items()
        }
        for name, value in figures.items():
            if not np.isfinite(value):
                raise Diverged(_diverged(f"{name} after step {step:,} is {value}"))
        self._log.write(step, figures)
        self._log.send()
        name = self._job.best_metric
        if self.seen.is_run_away(figures[name]):
            raise Diverged(_diverged(
                f"{name} after step {step:,} is {figures[name]:,.4g}, more than {_RISE} times its "
                f"best, {self.seen.least:,.4g}"
            ))  # fmt: skip
        self.seen = self.seen.after(figures[name])
        return figures


def _diverged(what: str) -> str:
    return f"{what}; lower optimizer.learning_rate. The best checkpoint so far is kept."
