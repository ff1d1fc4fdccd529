"""Groups of arrays in a folder, by orbax, with what JSON can say about them."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxcompress.engine.checkpoint import one_line, without_warnings
from jaxcompress.storage.places import absolute

_ABOUT = "about"


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
        raise ValueError(one_line(error)) from None


def _open_arrays(folder: str | os.PathLike, names: Iterable[str]) -> ocp.CheckpointManager:
    return ocp.CheckpointManager(
        absolute(folder),
        options=ocp.CheckpointManagerOptions(max_to_keep=1, cleanup_tmp_directories=True),
        item_names=(*names, _ABOUT),
    )


def _restore_numpy(path: Path) -> dict[str, np.ndarray]:
    with ocp.PyTreeCheckpointer() as reader:
        with without_warnings("absl"):  # each item lacks a file that a whole checkpoint has
            metadata = reader.metadata(path)
        # In orbax 0.11.20 the tree lies one attribute higher.
        shapes = getattr(metadata, "item_metadata", metadata).tree
        args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), dict(shapes))
        return reader.restore(path, restore_args=args)
