"""Checkpoints: training states, and arrays of any kind. The only file that imports orbax."""

import contextlib
import functools
import json
import logging
import os
import sys
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers

from jaxcompress.engine.lock import check_held
from jaxcompress.errors import InputError
from jaxcompress.storage.checksums import join_crc32
from jaxcompress.storage.places import absolute, as_path

_STATE, _PROGRESS, _ABOUT = "state", "progress", "about"


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
                    f"{self._directory} cannot be opened ({_one_line(error)}); move it away, and "
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
            _PROGRESS: ocp.args.JsonSave({**progress, "checksum": _checksum(state)}),
        }
        with _without_warnings("absl"):  # orbax warns if a step has no metrics
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
        if progress["checksum"] != _checksum(state):
            raise ValueError("its checksum differs from the one it was saved with")
        return Restored(step, state, progress)

    def _set_aside(self, step: int, error: Exception) -> None:
        self._manager.close()
        self._move_aside(step, error)
        self._open()

    def _move_aside(self, step: int, error: Exception) -> None:
        warnings.warn(
            f"checkpoint {step} cannot be read ({_one_line(error)}); it was moved to "
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


def _checksum(state: Any) -> int:
    """CRC-32 of all arrays, whatever devices they lie on: what is stored has none of its own."""
    checksum = 0
    for leaf in jax.tree.leaves(state):
        for _, part, num_bytes in _checked_parts(leaf):
            checksum = join_crc32(checksum, part, num_bytes)
    return checksum


def _checked_parts(leaf: jax.Array) -> list[list[int]]:
    """Gives start, CRC-32 and bytes of each part of an array, in order; one if it is not split.

    A process reads the parts that it has, and no process has to hold all of them. Arrays are split
    along their first axis alone.
    """
    own = {}
    for shard in leaf.addressable_shards:
        start = shard.index[0].indices(len(leaf))[0] if leaf.ndim else 0
        if start not in own:
            part = np.ascontiguousarray(shard.data).reshape(-1).view(np.uint8)
            own[start] = [start, zlib.crc32(part), part.nbytes]
    parts = np.array(list(own.values()), np.int64)
    if not leaf.is_fully_replicated and jax.process_count() > 1:
        sent = multihost_utils.process_allgather(parts.view(np.uint8))  # jax has no int64
        parts = np.unique(np.asarray(sent).reshape(-1).view(np.int64).reshape(-1, 3), axis=0)
    return sorted(parts.tolist())


def save_arrays(
    folder: str | os.PathLike,
    groups: Mapping[str, Mapping[str, Any]],
    about: Mapping[str, Any],
) -> None:
    """Saves groups of arrays, and what JSON can say about them, as the newest step of `folder`.

    Args:
        folder: a folder of its own; steps before the newest are deleted.
        groups: group -> name -> array, on the host or on devices.
        about: what else there is to keep.
    """
    with _open_arrays(folder, groups) as manager:
        step = (manager.latest_step() or 0) + 1  # each save is a new step: none is overwritten
        items = {name: ocp.args.StandardSave(dict(arrays)) for name, arrays in groups.items()}
        manager.save(step, args=ocp.args.Composite(**items, **{_ABOUT: ocp.args.JsonSave(about)}))


def load_arrays(
    folder: str | os.PathLike, names: Sequence[str]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]] | None:
    """Restores what `save_arrays` saved, whatever devices it was saved from.

    Args:
        folder: where it was saved.
        names: groups to restore; those that were not saved are left out.

    Returns:
        Groups of arrays on the host, and what was said about them; None if nothing is there.

    Raises:
        ValueError: if something is there that cannot be read; its message is one line.
    """
    folder = absolute(folder)
    if not folder.is_dir():
        return None
    try:
        with _open_arrays(folder, names) as manager:
            step = manager.latest_step()
            if step is None:
                return None
            args = ocp.args.Composite(**{_ABOUT: ocp.args.JsonRestore()})
            about = manager.restore(step, args=args)[_ABOUT]
        saved = {name: folder / str(step) / name for name in names}
        return {n: _restore_numpy(path) for n, path in saved.items() if path.is_dir()}, about
    except Exception as error:
        raise ValueError(_one_line(error)) from None


def _open_arrays(folder: str | os.PathLike, names: Iterable[str]) -> ocp.CheckpointManager:
    return ocp.CheckpointManager(
        absolute(folder),
        options=ocp.CheckpointManagerOptions(max_to_keep=1, cleanup_tmp_directories=True),
        item_names=(*names, _ABOUT),
    )


def _restore_numpy(path: Path) -> dict[str, np.ndarray]:
    with ocp.PyTreeCheckpointer() as reader:
        with _without_warnings("absl"):  # each item lacks a file that a whole checkpoint has
            metadata = reader.metadata(path)
        # In orbax 0.11.20 the tree lies one attribute higher.
        shapes = getattr(metadata, "item_metadata", metadata).tree
        args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), dict(shapes))
        return reader.restore(path, restore_args=args)


@contextlib.contextmanager
def _without_warnings(name: str) -> Iterator[None]:
    """Drops what the logger `name` would say below errors, inside the block alone."""
    logger = logging.getLogger(name)

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger.addFilter(is_error)
    try:
        yield
    finally:
        logger.removeFilter(is_error)


def _one_line(error: Exception) -> str:
    """The first line of an error's text, or its type if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else repr(error)
