"""A job: a method and its data, made ready for the loop."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import optax

from jaxcompress.data.batches import Feed
from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.engine import Engine
from jaxcompress.engine.task import PyTree, Task, TrainState


class Job(NamedTuple):
    """A method and its data, made ready to run.

    Attributes:
        task: what is trained.
        tx: the optimiser.
        engine: how steps run on the devices.
        data: what the engine placed on them; all feeds gather their batches from it.
        feed: training batches, without end.
        evaluations: feeds by name, or `step -> feed` if the rows change; figures are logged as
            `NAME_figure`.
        config: seed, batch size, periods.
        num_steps: optimiser steps of the whole run.
        best_metric: the figure, as `NAME_figure`, that is least in the best state.
        best_from: the first step whose state may be the best one.
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
        state: the best state if it was kept, else the last; as `evaluate` takes it.
        train_seconds: seconds of training, compilation included, over all parts of the run.
        step: optimiser steps taken in that time.
    """

    state: TrainState
    train_seconds: float
    step: int
