"""What a run leaves of its table: the file in `WORKDIR/export`, and its size."""

from pathlib import Path

import numpy as np

from jaxcompress.compressed.table import CompressedTable
from jaxcompress.data.vectors.files import write_rows
from jaxcompress.tables import UNKNOWN, WordTable


def num_bytes(artefact: np.ndarray | CompressedTable) -> int:
    """Returns the bytes of a table as it is stored; names of rows are not counted.

    >>> num_bytes(np.zeros((10, 3), np.float32))
    120
    """
    return artefact.nbytes if isinstance(artefact, np.ndarray) else artefact.num_bytes()


def export(table: WordTable, params: dict[str, np.ndarray], workdir: Path) -> Path | None:
    """Writes what the task has learned of a table to `WORKDIR/export`.

    Args:
        table: what gave words their vectors.
        params: the parameters of its embedding, on the host.
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
