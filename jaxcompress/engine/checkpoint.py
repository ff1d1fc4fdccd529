"""Checkpoints of a run: the two latest training states and the best. By orbax, as `arrays.py`."""

import contextlib
import functools
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers

from jaxcompress.engine.checksum import checksum_of
from jaxcompress.engine.lock import check_held
from jaxcompress.errors import InputError
from jaxcompress.storage.places import absolute, as_path

_STATE, _PROGRESS = "state", "progress"


class Restored(NamedTuple):
    """A state and what was known when it was saved."""

    step: int
    state: Any
    progress: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one run, in `WORKDIR/FOLDER/STEP`: the two latest and the best.

    A state is a `flax.struct` dataclass of arrays. Saves are asynchronous; `close` waits for them.

    Args:
        workdir: the run's folder.
        metric: the metric of `save` by which the best is kept, the least being the best; None: the
            two latest alone are kept.
        folder: the folder in the workdir.
    """

    def __init__(self, workdir: str | os.PathLike, metric: str | None, folder: str = "checkpoints"):
        self._workdir = as_path(workdir)
        self._directory = absolute(workdir) / folder
        keep = [checkpoint_managers.LatestN(n=2)]
        if metric is not None:
            best = checkpoint_managers.BestN(
                get_metric_fn=lambda metrics: -metrics[metric],
                n=1,
                keep_checkpoints_without_metrics=False,
            )
            keep.append(best)
        self._metric, self._keep = metric, checkpoint_managers.AnyPreservationPolicy(keep)
        self._open()

    def _open(self) -> None:
        options = ocp.CheckpointManagerOptions(
            preservation_policy=self._keep,
            best_fn=None if self._metric is None else lambda metrics: metrics[self._metric],
            best_mode="min",
            cleanup_tmp_directories=True,
            step_format_fixed_length=8,
        )

        def make() -> ocp.CheckpointManager:
            return ocp.CheckpointManager(
                self._directory, options=options, item_names=(_STATE, _PROGRESS)
            )

        try:
            self._manager = make()
        except Exception as error:  # orbax reads the metadata of all steps, and gives up at one
            damaged = [step for step in self._steps() if not _has_metadata(self._folder(step))]
            if not damaged:
                raise InputError(
                    f"{self._directory} cannot be opened ({one_line(error)}); move it away, and "
                    "the run begins anew."
                ) from None
            for step in damaged:
                self._move_aside(step, error)
            self._manager = make()

    def _steps(self) -> list[int]:
        if not self._directory.is_dir():
            return []
        return [int(path.name) for path in self._directory.iterdir() if path.name.isdigit()]

    def _folder(self, step: int) -> Path:
        return self._directory / f"{step:08d}"

    def save(
        self,
        step: int,
        state: Any,
        progress: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Starts to save; returns before it is done. A step that is there already is kept.

        Raises:
            InputError: if another run has taken the workdir.
        """
        if step in self._manager.all_steps():
            return
        check_held(self._workdir)
        items = {
            _STATE: ocp.args.StandardSave(_as_dict(state)),
            _PROGRESS: ocp.args.JsonSave({**progress, "checksum": checksum_of(state)}),
        }
        with without_warnings("absl"):  # orbax warns if a step has no metrics
            self._manager.save(step, args=ocp.args.Composite(**items), metrics=metrics, force=True)

    def restore_latest(self, like: Any) -> Restored | None:
        """Restores the newest checkpoint that can be read; None if there is none.

        A damaged one is moved to `WORKDIR/damaged` with a warning, and the one before is taken.

        Args:
            like: a state with the shapes, types and shardings to restore to.
        """
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                return self._restore(step, like)
            except Exception as error:
                self._set_aside(step, error)
        return None

    def restore_best(self, like: Any) -> Restored | None:
        """Restores the best checkpoint, or the latest if that is damaged or none has a metric."""
        self.wait()
        step = self._manager.best_step()
        if step is not None:
            try:
                return self._restore(step, like)
            except Exception as error:
                self._set_aside(step, error)
        return self.restore_latest(like)

    def reached(self) -> tuple[int, dict[str, Any]] | None:
        """Says how far the run is: step and progress of its newest checkpoint, without the state.

        None if there is none, or it cannot be read.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        try:
            items = ocp.args.Composite(**{_PROGRESS: ocp.args.JsonRestore()})
            return step, self._manager.restore(step, args=items)[_PROGRESS]
        except Exception:
            return None

    def _restore(self, step: int, like: Any) -> Restored:
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, _as_dict(like))
        items = {
            _STATE: ocp.args.StandardRestore(target),
            _PROGRESS: ocp.args.JsonRestore(),
        }
        _say_nothing_of_closed_loops()
        found = self._manager.restore(step, args=ocp.args.Composite(**items))
        state, progress = type(like)(**found[_STATE], **_empty_parts(like)), found[_PROGRESS]
        if progress["checksum"] != checksum_of(state):
            raise ValueError("its checksum differs from the one it was saved with")
        return Restored(step, state, progress)

    def _set_aside(self, step: int, error: Exception) -> None:
        self._manager.close()
        self._move_aside(step, error)
        self._open()

    def _move_aside(self, step: int, error: Exception) -> None:
        warnings.warn(
            f"checkpoint {step} cannot be read ({one_line(error)}); it was moved to "
            f"damaged/{step} and the one before it is tried.",
            stacklevel=4,
        )
        if jax.process_index() == 0:
            aside = self._workdir / "damaged"
            aside.mkdir(exist_ok=True)
            target = aside / str(step)
            count = 1
            while target.exists():
                target, count = aside / f"{step}.{count}", count + 1
            self._folder(step).rename(target)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices(f"set aside {step}")

    def wait(self) -> None:
        """Waits for saves under way."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits for saves under way and lets go."""
        self._manager.wait_until_finished()
        self._manager.close()


@functools.cache
def _say_nothing_of_closed_loops() -> None:
    """Hides tracebacks of a damaged step's other reads, which end later than their event loop."""
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        is_of_read = "_read_array_index" in repr(unraisable.object)
        if str(unraisable.exc_value) != "Event loop is closed" and not is_of_read:
            before(unraisable)

    sys.unraisablehook = hook


def _has_metadata(folder: Path) -> bool:
    try:
        return isinstance(json.loads((folder / "_CHECKPOINT_METADATA").read_bytes()), dict)
    except (OSError, ValueError):
        return False


def _as_dict(state: Any) -> dict[str, Any]:
    """The parts that hold arrays: orbax refuses an empty pytree as an item's leaf."""
    parts = vars(state)
    return {name: part for name, part in parts.items() if jax.tree.leaves(part)}


def _empty_parts(state: Any) -> dict[str, Any]:
    return {name: part for name, part in vars(state).items() if not jax.tree.leaves(part)}


@contextlib.contextmanager
def without_warnings(name: str) -> Iterator[None]:
    """Drops what the logger `name` would say below errors, inside the block alone."""
    logger = logging.getLogger(name)

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger.addFilter(is_error)
    try:
        yield
    finally:
        logger.removeFilter(is_error)


def one_line(error: Exception) -> str:
    """The first line of an error's text, or its type if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else repr(error)
