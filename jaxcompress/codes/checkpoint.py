"""Checkpoints of training states and artefacts. The only file that imports orbax."""

import os
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxcompress.codes.artefact import Codes
from jaxcompress.errors import InputError


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
