"""Judges vectors by a classifier of texts: `python -m train.sentiment --config configs/imdb.py`.

`--config.vectors=PATH` names vectors or codes; without any, a table is learned from scratch.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes what the task has learned of the table, `--mode compare` trains the same classifier on
several tables and lays them side by side.
"""

from pathlib import Path

import jax
import numpy as np

from jaxcompress.anchors.artefact import ANCHORS_FILE, SparseAnchors
from jaxcompress.classifier.prepare import Problem
from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.files import CODES_FILE
from jaxcompress.data.vectors.files import write_rows
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.report import say
from jaxcompress.tables.word_table import UNKNOWN


def num_bytes(artefact: np.ndarray | Codes | SparseAnchors) -> int:
    """Bytes of a table as it is stored; names of rows are not counted."""
    return artefact.nbytes if isinstance(artefact, np.ndarray) else artefact.num_bytes()


def export(problem: Problem, fitted: Fitted, workdir: Path) -> None:
    """Writes a table that was learned to `WORKDIR/export`; one that stayed as it was is not."""
    params = jax.device_get(fitted.state.params["embedding"])
    if not params or jax.process_index() > 0:
        return
    table, folder = problem.table, workdir / "export"
    folder.mkdir(exist_ok=True)
    artefact = table.to_artefact(params)
    if isinstance(artefact, np.ndarray):
        write_rows(folder, artefact, [*table.words, UNKNOWN])
        say(f"\nwrote {folder}/embedding.npy and embedding.words.txt")
        return
    file = folder / (ANCHORS_FILE if isinstance(artefact, SparseAnchors) else CODES_FILE)
    artefact.save(file)
    say(f'\nwrote {file}; open it with jaxcompress.load("{workdir}")')
