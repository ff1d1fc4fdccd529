"""The network "mean" over a table that is not trained: a convex problem, solved in seconds.

The mean of a text's vectors is computed once. The linear layer is a logistic regression, whose
weight of the L2 norm is chosen on validation texts.

Axis letters: n texts, D dimensions of a vector, C classes.
"""

import functools
import os
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.special

from jaxcompress.classifier.model import pool
from jaxcompress.classifier.prepare import Problem, make_feed, split_ids
from jaxcompress.engine.checkpoint import Checkpoints
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.loop import init_state, map_rows
from jaxcompress.engine.report import say
from jaxcompress.engine.task import TrainState

_L2 = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)  # weights, the largest first
_MOST_ITERATIONS = 200  # of L-BFGS for each weight


class Linear(NamedTuple):
    """A linear layer.

    Attributes:
        kernel: float64 [D, C].
        bias: float64 [C].
        cross_entropy: of validation texts, in nats.
        l2: the weight that it was fitted with.
        passes: over the texts to train on, for all weights together.
    """

    kernel: np.ndarray
    bias: np.ndarray
    cross_entropy: float
    l2: float
    passes: int


def is_linear(problem: Problem) -> bool:
    """Says whether the linear layer is all that is learned."""
    is_mean = problem.config.model.network == "mean"
    return is_mean and not jax.eval_shape(problem.table.embedding.init, jax.random.key(0))


def fit_linear(
    problem: Problem, workdir: str | os.PathLike | None = None, say: Callable[[str], None] = say
) -> Fitted:
    """Fits the linear layer, and saves it as the one checkpoint of `workdir`, if there is one.

    A step is a pass over the texts, in batches as the loop counts them.
    """
    started = time.perf_counter()
    state, ids = init_state(problem.job), split_ids(problem)
    (train, valid), labels = (
        [average_vectors(problem, state, ids[split]) for split in ("train", "valid")],
        problem.corpus.labels,
    )
    l2 = problem.config.optimizer.l2
    found = choose_linear(
        (train, labels[ids["train"]]),
        (valid, labels[ids["valid"]]),
        len(problem.corpus.text.classes),
        _L2 if l2 is None else (l2,),
    )
    say(f"L2 {found.l2:g}{'' if l2 else ', chosen on validation texts'}")
    layer = {"kernel": found.kernel, "bias": found.bias}
    params = {**state.params, "classifier": jax.tree.map(jnp.float32, layer)}
    step = found.passes * problem.steps_per_epoch
    engine = problem.job.engine
    state = engine.global_state(
        engine.place_state(state.replace(step=jnp.int32(step), params=params))
    )
    seconds = time.perf_counter() - started
    if workdir is not None:
        checkpoints = Checkpoints(workdir, problem.job.best_metric)
        progress = {"train_seconds": seconds, "seen": ()}
        metrics = {problem.job.best_metric: found.cross_entropy}
        checkpoints.save(step, state, progress, metrics)
        checkpoints.close()
    return Fitted(state, seconds, step)


def has_checkpoint(workdir: str | os.PathLike) -> bool:
    """Says whether `fit_linear` has been here."""
    checkpoints = Checkpoints(workdir, None)
    reached = checkpoints.reached()
    checkpoints.close()
    return reached is not None


def average_vectors(problem: Problem, state: TrainState, ids: np.ndarray) -> np.ndarray:
    """Computes the mean of the vectors of each text, int [n] -> float32 [n, D]."""
    function = _make_average(problem.table.embedding.apply)
    by_length = map_rows(function, problem.job, state, make_feed(problem, ids), len(ids))
    averages = np.empty_like(by_length)
    averages[np.argsort(problem.texts.take(ids).lengths, kind="stable")] = by_length
    return averages


@functools.lru_cache(maxsize=8)
def _make_average(apply: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Makes `state, batch -> means [B, D]`, once for a table."""

    def average(state, batch):
        vectors = apply(state.params["embedding"], batch["tokens"])
        return pool(jnp.swapaxes(vectors, 0, 1), batch["lengths"], "mean")

    return average


def choose_linear(
    train: tuple[np.ndarray, np.ndarray],
    valid: tuple[np.ndarray, np.ndarray],
    num_classes: int,
    weights: Iterable[float],
) -> Linear:
    """Fits a layer for each weight of L2, as long as validation texts are told better.

    Features are centred and scaled to a variance of 1 first, so that a weight means the same in
    every table.

    Args:
        train: features float [n, D] and labels int [n].
        valid: those that choose.
        num_classes: C.
        weights: falling: each fit starts where the one before ended.
    """
    mean, deviation = train[0].mean(axis=0), train[0].std(axis=0) + 1e-12
    scaled = ((train[0] - mean) / deviation).astype(np.float64)
    best, start, passes = None, np.zeros((scaled.shape[1] + 1, num_classes)), 0
    for weight in weights:
        start, count = fit_logistic(scaled, train[1], weight, start)
        passes += count
        kernel = start[:-1] / deviation[:, None]
        bias = start[-1] - mean @ kernel
        logits = valid[0] @ kernel + bias
        losses = scipy.special.logsumexp(logits, axis=1) - logits[np.arange(len(logits)), valid[1]]
        found = Linear(kernel, bias, float(losses.mean()), weight, passes)
        if best is not None and found.cross_entropy >= best.cross_entropy:
            break
        best = found
    return best._replace(passes=passes)


def fit_logistic(
    features: np.ndarray, labels: np.ndarray, l2: float, start: np.ndarray
) -> tuple[np.ndarray, int]:
    """Minimises the mean cross-entropy + l2 / 2 * |W|^2 over W [D, C] and a bias [C], by L-BFGS.

    >>> rows, labels = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> found, _ = fit_logistic(rows, labels, 0.1, np.zeros((2, 2)))
    >>> bool(found[0, 1] > 1 and abs(found.sum()) < 1e-6)
    True

    Args:
        features: [n, D].
        labels: int [n].
        l2: weight of the norm.
        start: first values [D + 1, C], the bias last.

    Returns:
        W and, below it, the bias; and how often the features were read.
    """
    targets = np.eye(start.shape[1])[labels]

    def objective(flat):
        weights = flat.reshape(start.shape)
        logits = features @ weights[:-1] + weights[-1]
        log_shares = scipy.special.log_softmax(logits, axis=1)
        value = -np.einsum("nc,nc->", targets, log_shares) / len(labels)
        errors = (np.exp(log_shares) - targets) / len(labels)
        gradient = np.vstack([features.T @ errors + l2 * weights[:-1], errors.sum(axis=0)])
        return value + l2 / 2 * np.square(weights[:-1]).sum(), gradient.ravel()

    options = {"maxiter": _MOST_ITERATIONS, "ftol": 1e-7, "gtol": 1e-6}
    found = scipy.optimize.minimize(
        objective, start.ravel(), jac=True, method="L-BFGS-B", options=options
    )
    return found.x.reshape(start.shape), int(found.nfev)
