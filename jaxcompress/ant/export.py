"""What a run leaves of its tables: files in `WORKDIR/export`, and their size.

A table that is sparse becomes `SparseAnchors`. A dense table with zeros has the unit vectors for
anchors. The last anchor of each table is the mean of its rows, the only entry of rows without
training ratings.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy.sparse

from jaxcompress.anchors.artefact import ANCHORS_FILE, SparseAnchors, stack
from jaxcompress.ant.config import Config, describe
from jaxcompress.ant.model import SIDES, masks_of, sparse_param
from jaxcompress.ant.prepare import Problem
from jaxcompress.engine.task import TrainState
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import write_names


def is_sparse(config: Config) -> bool:
    """Says whether a run's tables are exported as sparse ones."""
    penalty = config.penalty
    return config.model.table == "anchors" or bool(penalty.transform or penalty.num_parameters)


def count_bytes(problem: Problem, params: dict, aux: dict) -> dict[str, int]:
    """Counts the bytes of what is exported, of parameters and masks on the host.

    Returns:
        `stored_bytes` of tables, biases and network; and `file_bytes` of the file of sparse tables,
        names of rows and all.
    """
    if not is_sparse(problem.config):
        return {"stored_bytes": sum(leaf.nbytes for leaf in jax.tree.leaves(params))}
    artefact = to_artefact(problem, params, aux)
    extras = sum(value.nbytes for value in artefact.extras.values())
    return {"stored_bytes": artefact.num_bytes() + extras, "file_bytes": artefact.file_bytes()}


def to_sparse(params: dict, aux: dict) -> dict[str, SparseAnchors]:
    """Makes both tables of parameters and masks on the host, rows named by their numbers."""
    tables = {}
    for side in SIDES:
        table, active, seen = params[side], aux[side]["active"], aux[side]["seen"]
        name = sparse_param(table)
        entries = np.where(seen[:, None] & active, table[name], 0.0)[:, active]
        anchors = table["anchors"][active] if name == "transform" else np.eye(entries.shape[1])
        mean = (entries.sum(axis=0) / max(seen.sum(), 1)) @ anchors
        is_mean = scipy.sparse.csr_matrix((~seen[:, None]) * 1.0)
        with_mean = scipy.sparse.hstack([scipy.sparse.csr_matrix(entries), is_mean])
        tables[side] = SparseAnchors.from_csr(with_mean, np.vstack([anchors, mean]))
    return tables


def to_artefact(problem: Problem, params: dict, aux: dict) -> SparseAnchors:
    """Lays both tables below each other, biases and network among the `extras`."""
    ratings = problem.ratings
    names = {"users": ratings.user_ids, "items": ratings.item_ids}
    tables = {
        side: dataclasses.replace(table, words=names[side])
        for side, table in to_sparse(params, aux).items()
    }
    return stack(
        tables,
        extras=_other_params(params),
        metadata={"method": describe(problem.config), "dataset": Path(ratings.source).name},
    )


def export(problem: Problem, state: TrainState, workdir: Path) -> SparseAnchors | None:
    """Writes the tables to `WORKDIR/export`, on process 0.

    Sparse tables: anchors.safetensors with biases and network among its `extras`, and of each side
    SIDE.transform.npz and SIDE.anchors.npy. Other tables: SIDE.npy and SIDE.ids.txt.

    Returns:
        The tables below each other; None if they are not sparse, and on other processes.
    """
    params, aux = jax.device_get((state.params, state.aux))
    if jax.process_index() > 0:
        return None
    folder = workdir / "export"
    folder.mkdir(exist_ok=True)
    if not is_sparse(problem.config):
        names = {"users": problem.ratings.user_ids, "items": problem.ratings.item_ids}
        for side in SIDES:
            rows = problem.model.apply({"params": params}, side, masks_of(aux), method="rows")
            _write(folder / f"{side}.npy", lambda f, r=rows: np.save(f, np.asarray(r)))
            with atomic_write(folder / f"{side}.ids.txt") as partial:
                write_names(partial, names[side])
        return None
    artefact = to_artefact(problem, params, aux)
    for side in SIDES:
        table = artefact.part(side)
        transform = table.to_csr()
        _write(folder / f"{side}.transform.npz", lambda f, t=transform: scipy.sparse.save_npz(f, t))
        _write(folder / f"{side}.anchors.npy", lambda f, a=table.anchors: np.save(f, a))
    artefact.save(folder / ANCHORS_FILE)
    return artefact


def _other_params(params: dict) -> dict[str, np.ndarray]:
    """Takes the parameters that belong to no table, by their paths: `network.Dense_0.kernel`."""
    others = {name: value for name, value in params.items() if name not in SIDES}
    return {
        ".".join(key.key for key in path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(others)
    }


def _write(file: Path, write: Callable[[Any], None]) -> None:
    with atomic_write(file) as partial, open(partial, "wb") as stream:
        write(stream)
