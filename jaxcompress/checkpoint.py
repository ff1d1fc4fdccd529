"""Checkpoints of training states and artefacts. The only file that imports orbax."""

import logging
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

from jaxcompress.compressed import Codes
from jaxcompress.errors import InputError

logging.getLogger("absl").setLevel(logging.ERROR)  # orbax tells each of its moves

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
        folder: where in the workdir.
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
        """Restores the newest checkpoint that can be read; None where there is none.

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
        """Restores the best checkpoint, or where it is damaged or none has a metric the latest."""
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


def save_artefact(workdir: str | os.PathLike, codes: Codes) -> None:
    """Saves codes int [N, M] and codebooks [M, K, D] as an item of their own, and their names."""
    arrays = {"codes": codes.codes, "codebooks": codes.codebooks}
    about = {"words": None if codes.words is None else list(codes.words), **codes.metadata}
    with ocp.CheckpointManager(
        Path(workdir).absolute() / "artefact",
        options=ocp.CheckpointManagerOptions(max_to_keep=1, cleanup_tmp_directories=True),
        item_names=("table", "encoder", "about"),
    ) as manager:
        step = (manager.latest_step() or 0) + 1  # each save is a new step: none is overwritten
        items = {"table": ocp.args.StandardSave(arrays), "about": ocp.args.JsonSave(about)}
        if codes.encoder:
            items["encoder"] = ocp.args.StandardSave(dict(codes.encoder))
        manager.save(step, args=ocp.args.Composite(**items))


def find_artefact(workdir: str | os.PathLike) -> Codes | None:
    """Opens what `save_artefact` saved; None where there is none, or it cannot be read."""
    try:
        return load_artefact(workdir)
    except InputError:
        return None


def load_artefact(workdir: str | os.PathLike) -> Codes:
    """Opens what `save_artefact` saved.

    Raises:
        InputError: where there is none, or it cannot be read.
    """
    directory = Path(workdir).absolute() / "artefact"
    hint = f"make it with: python -m train.dccl --mode export --workdir {workdir}"
    if not directory.is_dir():
        raise InputError(f"{workdir}: no artefact in it (looked at {directory}); {hint}")
    try:
        with ocp.CheckpointManager(directory, item_names=("table", "encoder", "about")) as manager:
            step = manager.latest_step()
            if step is None:
                raise InputError(f"{workdir}: no artefact in it; {hint}")
            path = directory / str(step)
            about = manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore()))[
                "about"
            ]
        table = _restore_numpy(path / "table")
        encoder = _restore_numpy(path / "encoder") if (path / "encoder").is_dir() else None
    except InputError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)
        raise InputError(f"{directory}: cannot be read ({reason}); {hint}") from None
    words = about.pop("words")
    return Codes(table["codes"], table["codebooks"], words, encoder, about)


def _restore_numpy(path: Path) -> dict[str, np.ndarray]:
    """Restores a dictionary of arrays to the host, whatever devices it was saved from."""
    with ocp.PyTreeCheckpointer() as reader:
        shapes = reader.metadata(path).item_metadata.tree
        args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), dict(shapes))
        return reader.restore(path, restore_args=args)
