"""What `jaxcompress` offers at its top. Whatever needs jax is imported when it is called."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxcompress import codes_files
from jaxcompress.compressed import Codes
from jaxcompress.data.vectors import check_finite
from jaxcompress.errors import InputError
from jaxcompress.sparse_anchors import ANCHORS_FILE, FORMAT, SparseAnchors

if TYPE_CHECKING:
    from jaxcompress import dccl


def compress(
    vectors: Any,
    num_codebooks: int = 32,
    num_codewords: int = 16,
    *,
    words: Sequence[str] | None = None,
    config: "dccl.Config | None" = None,
    show_progress: bool = False,
) -> Codes:
    """Compresses a table to codes: M*ceil(log2 K) bits a row, and M codebooks of K codewords.

    Args:
        vectors: float [N, D]; NumPy, or anything `np.asarray` takes.
        num_codebooks: M; as `config.model.num_codebooks`, which it replaces.
        num_codewords: K, likewise.
        words: names of the rows.
        config: further settings; by default those of `configs/glove.py`, and no held-out rows.
        show_progress: whether to show a bar.

    Returns:
        The codes of all rows, codebooks, and the encoder.

    Raises:
        InputError: where the vectors are no finite matrix, or do not fit the settings.

    Reference:
        Shu & Nakayama, ICLR 2018, arXiv 1711.01068.
    """
    from jaxcompress import dccl, learn, loop

    rows = np.asarray(vectors)
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"vectors have shape {list(rows.shape)}; expected [rows, dimensions].")
    if rows.dtype not in (np.float16, np.float32):
        rows = rows.astype(np.float32)
    check_finite(rows, "vectors")
    config = config or dccl.Config(data=dccl.DataConfig(valid_rows=0))
    model = dataclasses.replace(
        config.model, num_codebooks=num_codebooks, num_codewords=num_codewords
    )
    problem = learn.prepare(rows, dataclasses.replace(config, model=model))
    fitted = loop.fit(problem.job, show_progress=show_progress)
    return learn.refine_codes(problem, learn.to_codes(problem, fitted.state, words))


def load(path: str | os.PathLike) -> Codes | SparseAnchors:
    """Opens a compressed table.

    Args:
        path: a .safetensors file of codes or of anchors, a `.codes` file with its `.codebook.npy`
            beside it (those of the DCCL implementations too), or the workdir of a run.

    Raises:
        InputError: where there is none, or it is damaged.
    """
    path = Path(path).expanduser()
    if path.is_dir() and (path / "export" / ANCHORS_FILE).exists():
        path = path / "export" / ANCHORS_FILE
    if path.is_dir():
        from jaxcompress.checkpoint import load_artefact

        return load_artefact(path)
    if not path.exists():
        raise InputError(
            f"no file or folder {path}; expected a .safetensors file, a .codes file or a workdir."
        )
    if path.suffix == ".codes":
        return Codes(*codes_files.read_text(path))
    tensors, metadata = codes_files.read_tensors(path, (codes_files.FORMAT, FORMAT))
    if metadata["format"] == FORMAT:
        return SparseAnchors.of(tensors, metadata)
    return Codes(*codes_files.codes_of(tensors, metadata))
