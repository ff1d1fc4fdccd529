"""What a config leaves open, and is chosen on validation texts: the network, a table's rate.

Each value has a run of a third of the epochs, and the one with the least cross-entropy is taken. Of
rates, the neighbours are tried as long as they are better.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxcompress.classifier.config import FROM_SCRATCH, NETWORKS, Config
from jaxcompress.classifier.corpus import Corpus
from jaxcompress.classifier.linear import fit_linear, is_linear
from jaxcompress.classifier.prepare import Source, prepare
from jaxcompress.engine.grid import descend
from jaxcompress.engine.loop import evaluate, fit
from jaxcompress.errors import Diverged

TABLE_RATES = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
_FIRST_RATE = 2  # where in it the search begins
_SHARE_OF_EPOCHS = 1 / 3  # of a run that is only made to choose


def is_open(config: Config) -> bool:
    """Says whether something is to be chosen."""
    return config.model.network is None or _rate_is_open(config)


def _rate_is_open(config: Config) -> bool:
    return config.embedding in FROM_SCRATCH and config.optimizer.table_rate is None


def with_choice(config: Config, choice: dict[str, Any]) -> Config:
    """Fills in what was left open: "network" and "table_rate", either of which may be given."""
    model, optimizer = config.model, config.optimizer
    if model.network is None:
        model = dataclasses.replace(model, network=choice["network"])
    if _rate_is_open(config):
        optimizer = dataclasses.replace(optimizer, table_rate=choice["table_rate"])
    return dataclasses.replace(config, model=model, optimizer=optimizer)


def choose(
    corpus: Corpus, source: Source, config: Config, say: Callable[[str], None]
) -> dict[str, Any]:
    """Chooses what a config leaves open, and says what each value gave.

    It is a function of the texts, the table and the config alone, whose first seed is used.

    Returns:
        What `with_choice` takes.
    """
    figures: dict[tuple[str, float | None], dict[str, float]] = {}

    def error(network: str, rate: float | None) -> float:
        if (network, rate) not in figures:
            choice = {"network": network, "table_rate": rate}
            figures[network, rate] = _valid_figures(corpus, source, with_choice(config, choice))
            found = figures[network, rate]
            named = "" if rate is None else f", table_rate {rate:g}"
            say(
                f"network {network}{named}: validation cross-entropy {found['cross_entropy']:.4f}, "
                f"accuracy {found['accuracy']:.4f}"
            )
        return figures[network, rate]["cross_entropy"]

    for network in NETWORKS if config.model.network is None else (config.model.network,):
        if _rate_is_open(config):
            descend(TABLE_RATES, _FIRST_RATE, functools.partial(error, network))
        else:
            error(network, None)
    network, rate = min(figures, key=lambda key: figures[key]["cross_entropy"])
    return {"network": network, "table_rate": rate}


def _valid_figures(corpus: Corpus, source: Source, config: Config) -> dict[str, float]:
    steps = config.num_steps
    short = dataclasses.replace(
        config,
        num_epochs=config.num_epochs * _SHARE_OF_EPOCHS,
        num_steps=None if steps is None else max(1, round(steps * _SHARE_OF_EPOCHS)),
    )
    problem = prepare(corpus, source, short)
    job = problem.job
    try:
        if is_linear(problem):
            state = fit_linear(problem, say=_in_silence).state
        else:
            state = fit(job, say=_in_silence, show_progress=False, keep_best=True).state
    except Diverged:
        return {"cross_entropy": np.inf, "accuracy": 0.0}
    return job.task.metrics(evaluate(job, state, job.evaluations["valid"]))


def _in_silence(line: str) -> None:
    """Takes a line for the user where there is none."""
