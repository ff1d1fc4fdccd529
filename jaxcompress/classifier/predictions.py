"""What a trained classifier takes test texts for: kept in the workdir, to be looked at.

Axis letters: n texts, C classes.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.classifier.prepare import Problem, make_feed
from jaxcompress.engine.loop import map_rows
from jaxcompress.engine.task import TrainState
from jaxcompress.storage.atomic import atomic_write

FILE = "predictions.npz"  # in a workdir
_MOST = 2000  # texts, spread over the test split


class Predictions(NamedTuple):
    """Test texts and what they were taken for.

    Attributes:
        texts: int [n], places among the test texts, rising.
        labels: int [n], their classes.
        found: int [n], the classes that they were taken for.
        probability: float [n], of the class that was found.
    """

    texts: np.ndarray
    labels: np.ndarray
    found: np.ndarray
    probability: np.ndarray

    @property
    def is_right(self) -> np.ndarray:
        """Which texts were taken for what they are, bool [n]."""
        return self.labels == self.found


def predict_test(problem: Problem, state: TrainState) -> Predictions:
    """Classifies test texts, 2,000 at most, by a trained state."""
    corpus = problem.corpus
    test = np.array(corpus.ranges["test"])
    places = np.unique(np.linspace(0, len(test) - 1, min(len(test), _MOST)).astype(int))
    ids = test[places]
    function, feed = _make_shares(problem.classify), make_feed(problem, ids)
    by_length = map_rows(function, problem.job, state, feed, len(ids))
    order = np.argsort(problem.texts.take(ids).lengths, kind="stable")
    shares = np.empty_like(by_length)
    shares[order] = by_length
    return Predictions(places, corpus.labels[ids], shares.argmax(axis=1), shares.max(axis=1))


@functools.lru_cache(maxsize=8)
def _make_shares(classify: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Makes `state, batch -> probabilities [B, C]`, once, so that seeds share its programs."""
    return lambda state, batch: jax.nn.softmax(classify(state.params, state.aux, batch))


def save_predictions(workdir: Path, predictions: Predictions) -> None:
    """Writes `WORKDIR/predictions.npz`, on process 0."""
    if jax.process_index() == 0:
        with atomic_write(workdir / FILE) as partial, open(partial, "wb") as stream:
            np.savez(stream, **predictions._asdict())


def read_predictions(workdir: Path) -> Predictions | None:
    """Reads what `save_predictions` wrote; None if there is nothing."""
    file = workdir / FILE
    if not file.exists():
        return None
    with file.open("rb") as stream, np.load(stream) as arrays:
        return Predictions(**{name: arrays[name] for name in Predictions._fields})
