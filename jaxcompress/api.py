"""What `jaxcompress` offers at its top. Whatever needs jax is imported when it is called."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxcompress import dccl
from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.config import RefineConfig
from jaxcompress.data.vectors.files import check_finite
from jaxcompress.data.vectors.weights import check_weights, normalize_weights, read_weights
from jaxcompress.errors import InputError
from jaxcompress.storage.names import check_names

if TYPE_CHECKING:
    from jaxcompress.codes.rows import PreparedTable


def compress(
    vectors: Any,
    num_codebooks: int = 32,
    num_codewords: int = 16,
    *,
    words: Sequence[str] | None = None,
    weights: Any = None,
    config: dccl.Config | None = None,
    show_progress: bool = False,
) -> Codes:
    """Compresses a table to codes: M*ceil(log2 K) bits a row, and M codebooks of K codewords.

    Args:
        vectors: float [N, D]; NumPy, or anything `np.asarray` takes.
        num_codebooks: M; as `config.model.num_codebooks`, which it replaces.
        num_codewords: K, likewise.
        words: names of the rows.
        weights: [N], at least 0: how much each row counts, for example how often it is read; or
            "zipf" or a file's name, as `config.data.weights`, which holds where this is None.
        config: further settings; by default those of `configs/glove.py`, and no held-out rows.
        show_progress: whether to show a bar.

    Returns:
        The codes of all rows, codebooks, and the encoder.

    Raises:
        InputError: where the vectors are no finite matrix, the weights no such numbers, or either
            does not fit the settings.

    Reference:
        Shu & Nakayama, ICLR 2018, arXiv 1711.01068.
    """
    from jaxcompress.dccl.export import to_codes
    from jaxcompress.dccl.prepare import prepare
    from jaxcompress.engine.loop import fit

    rows = np.asarray(vectors)
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"vectors have shape {list(rows.shape)}; expected [rows, dimensions].")
    if rows.dtype not in (np.float16, np.float32):
        rows = rows.astype(np.float32)
    check_finite(rows, "vectors")
    if words is not None:
        words = list(words)
        check_names(words, len(rows))
    config = config or dccl.Config(data=dccl.DataConfig(valid_rows=0))
    model = dataclasses.replace(
        config.model, num_codebooks=num_codebooks, num_codewords=num_codewords
    )
    weights = config.data.weights if weights is None else weights
    weights = _read_weights(weights, len(rows), words)
    problem = prepare(rows, dataclasses.replace(config, model=model), weights=weights)
    fitted = fit(problem.job, show_progress=show_progress)
    trained = to_codes(problem, fitted.state, words)
    return _refine(
        problem.table, trained, problem.config.refine, problem.config.seed, show_progress
    )


def refine(
    codes: Codes,
    vectors: Any,
    *,
    num_rounds: int = 40,
    weights: Any = None,
    seed: int = 0,
    show_progress: bool = False,
) -> Codes:
    """Improves codes and codebooks of a table, whatever made them, with the same bytes.

    Args:
        codes: of the rows of `vectors`, in their order.
        vectors: float [N, D].
        num_rounds: of local search and least-squares codebooks; 40 are near the end of what there
            is to gain. Codebooks of M*K > 8,192 codewords stay as they are, and a note says so.
        weights: as those of `compress`; None: all rows count alike.
        seed: of the search.
        show_progress: whether to show a bar.

    Returns:
        Codes of the same words and size. No round makes the (weighted) error larger.

    Raises:
        InputError: where vectors, weights and codes do not fit each other.
    """
    from jaxcompress.codes.encode import check_rows
    from jaxcompress.codes.rows import make_table

    rows = check_rows(vectors, codes.dim)
    if len(rows) != len(codes):
        raise InputError(f"{len(rows)} vectors and codes of {len(codes)} rows; expected as many.")
    if len(rows) < codes.num_codewords:
        raise InputError(
            f"{len(rows)} rows are fewer than the {codes.num_codewords} codewords of a codebook; "
            "codebooks cannot be fitted to them."
        )
    weights = _read_weights(weights, len(rows), codes.words)
    if weights is not None:
        weights = normalize_weights(weights, np.arange(len(rows)))
    if num_rounds < 0:
        raise InputError(f"num_rounds is {num_rounds}; it must be at least 0.")
    table = make_table(rows, weights)
    return _refine(table, codes, RefineConfig(num_rounds=num_rounds), seed, show_progress)


def _read_weights(weights: Any, num_rows: int, words: Sequence[str] | None) -> np.ndarray | None:
    """Weights [N] from numbers, or from what `config.data.weights` may be."""
    if isinstance(weights, (str, os.PathLike)):
        weights, notes = read_weights(os.fspath(weights), num_rows, words)
        for note in notes:
            print(f"note: {note}")
        return weights
    return None if weights is None else check_weights(np.asarray(weights), num_rows, "weights")


def _refine(
    table: "PreparedTable",
    codes: Codes,
    config: RefineConfig,
    seed: int,
    show_progress: bool,
) -> Codes:
    from jaxcompress.codes.measure import code_errors
    from jaxcompress.codes.refine import refine_codes

    refined = refine_codes(table, codes, config, seed=seed, show_progress=show_progress).codes
    error = code_errors(table, refined)["all"]["mean_squared_l2"]
    return dataclasses.replace(
        refined, metadata={**refined.metadata, "mean_squared_l2": repr(error)}
    )
