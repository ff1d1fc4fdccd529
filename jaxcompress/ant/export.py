"""Trains tables of users and items: `python -m train.ant --config configs/movielens_1m.py:ant`.

`--mode evaluate` and `--mode export` take a finished or half-finished run, `--mode inspect` shows
what its anchors stand for, `--mode rank` scores the test items of each user, `--mode compare` lays
runs side by side.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy.sparse

from jaxcompress.anchors.artefact import ANCHORS_FILE, SparseAnchors, stack
from jaxcompress.ant import model as ant_model
from jaxcompress.ant.config import Config, describe
from jaxcompress.ant.model import SIDES
from jaxcompress.ant.prepare import Problem
from jaxcompress.engine.report import say
from jaxcompress.engine.task import TrainState
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import write_names


def stored_bytes(config: Config, params: dict, aux: dict) -> int:
    """Bytes of both tables as exported, and of biases and network as float32."""
    others = sum(np.asarray(x).nbytes for name in params if name not in SIDES
                 for x in jax.tree.leaves(params[name]))  # fmt: skip
    tables = make_tables(config, params, aux)
    if tables is None:
        return others + sum(x.nbytes for side in SIDES for x in jax.tree.leaves(params[side]))
    return others + sum(table.num_bytes() for table in tables.values())


def make_tables(config: Config, params: dict, aux: dict) -> dict[str, SparseAnchors] | None:
    """Both tables as artefacts; None where they are dense or of blocks.

    A dense table with zeros has the unit vectors for anchors. The last anchor is the mean row, the
    only entry of rows without training ratings.
    """
    if config.model.table != "anchors" and not (
        config.penalty.transform or config.penalty.num_parameters
    ):
        return None
    tables = {}
    for side in SIDES:
        part, active, seen = params[side], aux[side]["active"], aux[side]["seen"]
        name = ant_model.entries(part)
        entries = np.where(seen[:, None] & active, part[name], 0.0)[:, active]
        anchors = part["anchors"][active] if name == "transform" else np.eye(entries.shape[1])
        mean = (entries.sum(axis=0) / max(seen.sum(), 1)) @ anchors
        with_mean = scipy.sparse.hstack([
            scipy.sparse.csr_matrix(entries), scipy.sparse.csr_matrix((~seen[:, None]) * 1.0)
        ])  # fmt: skip
        tables[side] = SparseAnchors.from_csr(with_mean, np.vstack([anchors, mean]))
    return tables


def export(problem: Problem, state: TrainState, workdir: Path) -> SparseAnchors | None:
    """Writes tables to `WORKDIR/export`, and says what it wrote."""
    params, aux = jax.device_get((state.params, state.aux))
    ratings, folder = problem.ratings, workdir / "export"
    names = {"users": ratings.user_ids, "items": ratings.item_ids}
    tables, others = make_tables(problem.config, params, aux), {}
    for name in params:
        if name not in SIDES:
            for path, leaf in jax.tree_util.tree_leaves_with_path({name: params[name]}):
                others[".".join(key.key for key in path)] = np.asarray(leaf)
    if jax.process_index() > 0:
        return None
    folder.mkdir(exist_ok=True)
    if tables is None:
        for side in SIDES:
            rows = dense_rows(problem, state, side)
            _save(folder / f"{side}.npy", lambda f, r=rows: np.save(f, r))
            with atomic_write(folder / f"{side}.ids.txt") as partial:
                write_names(partial, names[side])
        say(f"\nwrote {folder}/users.npy, items.npy and their ids.txt")
        return None
    for side, table in tables.items():
        tables[side] = dataclasses.replace(table, names=names[side])
        csr = table.to_csr()
        _save(folder / f"{side}.transform.npz", lambda f, m=csr: scipy.sparse.save_npz(f, m))
        _save(folder / f"{side}.anchors.npy", lambda f, a=table.anchors: np.save(f, a))
    artefact = stack(
        tables,
        extras=others,
        metadata={"method": describe(problem.config), "dataset": Path(ratings.source).name},
    )
    artefact.save(folder / ANCHORS_FILE)
    say(f"\nwrote {folder}/{ANCHORS_FILE}, users.transform.npz, users.anchors.npy and those of "
        f'items; open them with jaxcompress.load("{workdir}")')  # fmt: skip
    return artefact


def _save(file: Path, write: Callable[[Any], None]) -> None:
    with atomic_write(file) as partial, open(partial, "wb") as stream:
        write(stream)


def dense_rows(problem: Problem, state: TrainState, side: str) -> np.ndarray:
    """All rows of a table, float32 [V, D]; the mean row where there were no training ratings."""
    params, aux = jax.device_get((state.params, state.aux))
    about = {name: aux[name] for name in SIDES}
    return np.asarray(problem.model.apply({"params": params}, side, about, method="rows"))
