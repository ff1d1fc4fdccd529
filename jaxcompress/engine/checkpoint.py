"""Checkpoints: training states, and arrays of any kind. The only file that imports orbax."""

import os
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers

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
        self._workdir, self._directory = Path(workdir), Path(workdir).absolute() / folder
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
        self._manager = ocp.CheckpointManager(
            self._directory, options=options, item_names=(_STATE, _PROGRESS)
        )

    def save(
        self,
        step: int,
        state: Any,
        progress: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Starts to save; returns before it is done. A step that is there already is kept."""
        if step in self._manager.all_steps():
            return
        items = {
            _STATE: ocp.args.StandardSave(_as_dict(state)),
            _PROGRESS: ocp.args.JsonSave({**progress, "checksum": _checksum(state)}),
        }
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

    def _restore(self, step: int, like: Any) -> Restored:
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, _as_dict(like))
        items = {
            _STATE: ocp.args.StandardRestore(target),
            _PROGRESS: ocp.args.JsonRestore(),
        }
        found = self._manager.restore(step, args=ocp.args.Composite(**items))
        state, progress = type(like)(**found[_STATE], **_empty_parts(like)), found[_PROGRESS]
        if progress["checksum"] != _checksum(state):
            raise ValueError("its checksum differs from the one it was saved with")
        return Restored(step, state, progress)

    def _set_aside(self, step: int, error: Exception) -> None:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)
        warnings.warn(
            f"checkpoint {step} cannot be read ({reason}); it was moved to damaged/{step} and the "
            "one before it is tried.",
            stacklevel=3,
        )
        self._manager.close()
        if jax.process_index() == 0:
            aside = self._workdir / "damaged"
            aside.mkdir(exist_ok=True)
            target = aside / str(step)
            count = 1
            while target.exists():
                target, count = aside / f"{step}.{count}", count + 1
            os.rename(self._directory / f"{step:08d}", target)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices(f"set aside {step}")
        self._open()

    def wait(self) -> None:
        """Waits for saves under way."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits for saves under way and lets go."""
        self._manager.wait_until_finished()
        self._manager.close()


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
        if leaf.is_fully_replicated:
            leaf = leaf.addressable_data(0)
        elif not leaf.is_fully_addressable:
            leaf = multihost_utils.process_allgather(leaf, tiled=True)
        checksum = zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8), checksum)
    return checksum
