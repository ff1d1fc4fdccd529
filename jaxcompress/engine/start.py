"""The start of a run, whatever its method: fit, or restore what was fitted, and announce it."""

import os
from collections.abc import Callable

import jax

from jaxcompress.engine.job import Fitted, Job
from jaxcompress.engine.loop import fit, restore_best
from jaxcompress.engine.origin import note_origin
from jaxcompress.engine.report import say
from jaxcompress.storage.places import as_path


def fit_or_restore(
    job: Job,
    workdir: str | os.PathLike,
    *,
    is_training: bool,
    data: str,
    steps_per_epoch: int | None = None,
    say: Callable[[str], None] = say,
) -> Fitted:
    """Trains the job, or goes on with it; or takes the best state that it has reached.

    Args:
        job: what to run.
        workdir: the run's folder, opened.
        is_training: whether to train; else the best state is restored.
        data: what is trained on, in words, for the announcement; "" if it is known already.
        steps_per_epoch: for the announcement; None: epochs are not mentioned.
        say: takes a line for the user.

    Raises:
        InputError: if there is no state to restore.
    """
    if not is_training:
        fitted = restore_best(job, workdir)
        say(f"step {int(fitted.state.step):,} of {job.num_steps:,}, the best so far")
        return fitted
    epochs = "" if steps_per_epoch is None else f" ({job.num_steps / steps_per_epoch:.3g} epochs)"
    feed = job.feed
    size = feed.batch_size if feed.units is None else (
        f"{feed.batch_size} x {feed.units // feed.batch_size}")  # fmt: skip
    say(
        f"{data}{'; ' if data else ''}{job.num_steps:,} steps{epochs} of {size} {feed.unit} on "
        f"{jax.device_count()} {jax.devices()[0].platform} device(s); workdir {workdir}"
    )
    note_origin(as_path(workdir))
    return fit(job, workdir=workdir, say=say)
