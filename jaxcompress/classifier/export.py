"""What a run leaves of its table: the file in `WORKDIR/export`, and its size."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxcompress.compressed.table import CompressedTable
from jaxcompress.data.vectors.files import write_rows
from jaxcompress.engine.task import TrainState
from jaxcompress.tables import UNKNOWN, WordTable


def num_bytes(artefact: np.ndarray | CompressedTable) -> int:
    """Returns the bytes of a table as it is stored; names of rows are not counted.

    >>> num_bytes(np.zeros((10, 3), np.float32))
    120
    """
    return artefact.nbytes if isinstance(artefact, np.ndarray) else artefact.num_bytes()


def table_params(state: TrainState) -> dict[str, Any]:
    """Takes what a state has of the table, which may be adapted beside its parameters: on the host.

    It is what `WordTable.to_artefact` takes.
    """
    return jax.device_get({**state.params["embedding"], **state.aux})


def export(table: WordTable, params: dict[str, np.ndarray], workdir: Path) -> Path | None:
    """Writes what the task has learned of a table to `WORKDIR/export`.

    Args:
        table: what gave words their vectors.
        params: what `table_params` takes.
        workdir: the run's folder.

    Returns:
        The file, embedding.npy (with embedding.words.txt beside it), anchors.safetensors or
        model.safetensors; None if nothing of the table was trained.
    """
    if not params:
        return None
    folder, artefact = workdir / "export", table.to_artefact(params)
    folder.mkdir(exist_ok=True)
    if isinstance(artefact, np.ndarray):
        write_rows(folder, artefact, [*table.words, UNKNOWN])
        return folder / "embedding.npy"
    file = folder / artefact.file_name
    artefact.save(file)
    return file
