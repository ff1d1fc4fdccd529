"""The training loop. It knows no method by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import optax

from jaxcompress.data.batches import Feed
from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.steps import Engine
from jaxcompress.engine.task import PyTree, Task, TrainState


class NonFiniteLoss(ArithmeticError):
    """A loss was NaN or infinite; the last good checkpoint is there."""


class Stopped(Exception):
    """The run was asked to stop (Ctrl-C, SIGTERM) and has saved its state."""


class Job(NamedTuple):
    """A method and its data, made ready to run.

    Attributes:
        task: the method.
        tx: its optimiser.
        engine: the devices.
        data: what the engine placed; shared by all feeds.
        feed: endless training batches.
        evaluations: feeds by name, or `step -> feed` where the rows change; figures are logged as
            `NAME_figure`.
        config: seed, batch size, periods.
        num_steps: steps in all.
        best_metric: the figure, with its evaluation's name, that is least in the best state.
        best_from: no state of an earlier step is the best one.
    """

    task: Task
    tx: optax.GradientTransformation
    engine: Engine
    data: PyTree
    feed: Feed
    evaluations: Mapping[str, Feed | Callable[[int], Feed]]
    config: RunConfig
    num_steps: int
    best_metric: str
    best_from: int = 0


class Fitted(NamedTuple):
    """What a run ends with.

    Attributes:
        state: the best state where there are checkpoints, else the last; as `evaluate` takes it.
        train_seconds: seconds of training, compilation included, over all parts of the run.
        step: the steps taken in that time.
    """

    state: TrainState
    train_seconds: float
    step: int
