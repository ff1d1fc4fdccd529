"""What a run leaves of its tables: files in `WORKDIR/export`, and their size.

Every table is written as `SparseAnchors`, so that one artefact predicts whatever trained it: a
dense table has the unit vectors for anchors, one of mixed dimensions the rows of its projections.
The last anchor of each table is the mean of its rows, the only entry of rows without training
ratings.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import scipy.sparse

from jaxcompress.anchors.artefact import SparseAnchors, stack
from jaxcompress.anchors.files import ANCHORS_FILE
from jaxcompress.anchors.seen import SEEN_FILE, write_seen
from jaxcompress.ant.config import Config, describe
from jaxcompress.ant.model import SIDES, masks_of, sparse_param
from jaxcompress.ant.prepare import Problem
from jaxcompress.engine.task import TrainState
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import write_names


def is_sparse(config: Config) -> bool:
    """Says whether a run's tables have zeros, and are counted by what is not 0."""
    penalty = config.penalty
    return config.model.table == "anchors" or bool(penalty.transform or penalty.prunes)


def count_bytes(problem: Problem, params: dict, aux: dict) -> dict[str, int]:
    """Counts the bytes of what is exported, of parameters and masks on the host.

    Returns:
        `stored_bytes` of tables, biases and network, those of tables without zeros as float32;
        `file_bytes` of anchors.safetensors, names of rows and all.
    """
    artefact = to_artefact(problem, params, aux)
    stored = artefact.num_bytes() + sum(value.nbytes for value in artefact.extras.values())
    if not is_sparse(problem.config):
        stored = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    return {"stored_bytes": stored, "file_bytes": artefact.file_bytes()}


def to_sparse(module: nn.Module, table: dict, masks: dict) -> SparseAnchors:
    """Makes the artefact of a table, rows named by their numbers.

    Args:
        module: the table's, which is asked for only if it has blocks.
        table: its parameters on the host.
        masks: "seen" [V] and "active" [K].
    """
    seen, active, name = masks["seen"], masks["active"], sparse_param(table)
    if name is None:
        entries, anchors = module.factors(table)
        entries = scipy.sparse.diags(seen.astype(np.float32)) @ entries
    else:
        entries = scipy.sparse.csr_matrix(
            np.where(seen[:, None] & active, table[name], 0.0)[:, active]
        )
        anchors = table["anchors"][active] if name == "transform" else np.eye(entries.shape[1])
    mean = (np.asarray(entries.sum(axis=0))[0] / max(seen.sum(), 1)) @ anchors
    is_mean = scipy.sparse.csr_matrix((~seen[:, None]) * 1.0)
    with_mean = scipy.sparse.hstack([entries, is_mean])
    return SparseAnchors.from_csr(with_mean, np.vstack([anchors, mean]))


def to_artefact(problem: Problem, params: dict, aux: dict) -> SparseAnchors:
    """Lays both tables below each other, biases and network among the `extras`."""
    ratings = problem.ratings
    names = {"users": ratings.user_ids, "items": ratings.item_ids}
    tables = {}
    for side in SIDES:
        table = to_sparse(getattr(problem.model, side), params[side], aux[side])
        tables[side] = dataclasses.replace(table, words=names[side])
    return stack(
        tables,
        extras=_other_params(params),
        metadata={"method": describe(problem.config), "dataset": Path(ratings.source).name},
    )


def export(problem: Problem, state: TrainState, workdir: Path) -> SparseAnchors | None:
    """Writes the tables to `WORKDIR/export`, on process 0.

    anchors.safetensors has biases and network among its `extras`, seen.safetensors what each user
    was trained on. Of each side there are SIDE.transform.npz and SIDE.anchors.npy, or, of tables
    without zeros, SIDE.npy and SIDE.ids.txt.

    Returns:
        The tables below each other; None on other processes.
    """
    params, aux = jax.device_get((state.params, state.aux))
    if jax.process_index() > 0:
        return None
    folder = workdir / "export"
    folder.mkdir(exist_ok=True)
    artefact, ratings = to_artefact(problem, params, aux), problem.ratings
    for side, ids in (("users", ratings.user_ids), ("items", ratings.item_ids)):
        if is_sparse(problem.config):
            _write_sparse(folder, side, artefact.part(side))
            continue
        rows = problem.model.apply({"params": params}, side, masks_of(aux), method="rows")
        _write(folder / f"{side}.npy", lambda f, r=rows: np.save(f, np.asarray(r)))
        with atomic_write(folder / f"{side}.ids.txt") as partial:
            write_names(partial, ids)
    artefact.save(folder / ANCHORS_FILE)
    seen = known_ratings(problem)
    write_seen(folder / SEEN_FILE, ratings.users[seen], ratings.items[seen], len(ratings.user_ids))
    return artefact


def known_ratings(problem: Problem) -> np.ndarray:
    """Finds what a run has seen: training and validation ratings, but for those it is tested on.

    Negatives that were drawn are no ratings. Positions, int [n].
    """
    splits, ratings = problem.splits, problem.ratings
    known = np.setdiff1d(np.concatenate([splits["train"], splits["valid"]]), splits["test"])
    return known[ratings.values[known] > 0] if ratings.are_pairs else known


def _write_sparse(folder: Path, side: str, table: SparseAnchors) -> None:
    transform = table.to_csr()
    _write(folder / f"{side}.transform.npz", lambda f: scipy.sparse.save_npz(f, transform))
    _write(folder / f"{side}.anchors.npy", lambda f: np.save(f, table.anchors))


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
