"""`compress` and `refine`: from a table to codes in one call, which is when jax is loaded."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.config import RefineConfig
from jaxcompress.data.vectors.checks import check_finite
from jaxcompress.data.vectors.weights import check_weights, normalize_weights, read_weights
from jaxcompress.dccl.config import Config, DataConfig
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
    config: Config | None = None,
    show_progress: bool = False,
) -> Codes:
    """Compresses a table to codes: M*ceil(log2 K) bits per row, and M codebooks of K codewords.

    An autoencoder is trained on the rows, then codes and codebooks are refined.

    Args:
        vectors: float [N, D]; NumPy, or anything `np.asarray` takes.
        num_codebooks: M, in place of `config.model.num_codebooks`.
        num_codewords: K, in place of `config.model.num_codewords`.
        words: the N names of the rows; None: rows are named by their numbers.
        weights: [N], at least 0, how much each row counts, for example how often it is read; or
            "zipf" or the name of a file, as in `config.data.weights`; None: what
            `config.data.weights` says.
        config: further settings; None: those of `configs/glove.py`, with no rows held out.
        show_progress: whether to show a bar.

    Returns:
        The codes of all rows, the codebooks, and the encoder.

    Raises:
        InputError: if the vectors are no finite matrix, weights or words are invalid, or any of
            them does not fit the settings.

    Reference:
        Shu & Nakayama, ICLR 2018, arXiv 1711.01068.
    """
    from jaxcompress.dccl.export import to_codes
    from jaxcompress.dccl.prepare import prepare
    from jaxcompress.engine.loop import fit

    rows = _check_vectors(vectors)
    if words is not None:
        words = list(words)
        check_names(words, len(rows))
    config = config or Config(data=DataConfig(valid_rows=0))
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


def _check_vectors(vectors: Any) -> np.ndarray:
    """Checks that vectors are a finite matrix, and gives them as float16 or float32 [N, D]."""
    rows = np.asarray(vectors)
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"vectors have shape {list(rows.shape)}; expected [rows, dimensions].")
    if rows.dtype not in (np.float16, np.float32):
        rows = rows.astype(np.float32)
    check_finite(rows, "vectors")
    return rows


def refine(
    codes: Codes,
    vectors: Any,
    *,
    num_rounds: int = 40,
    weights: Any = None,
    seed: int = 0,
    show_progress: bool = False,
) -> Codes:
    """Improves codes and codebooks of a table, whatever made them; the size stays the same.

    Args:
        codes: codes of the rows of `vectors`, in their order.
        vectors: float [N, D].
        num_rounds: rounds of local search and least-squares codebooks; more than 40 gain little.
            Codebooks of M*K > 8,192 codewords stay as they are, and a note says so.
        weights: what `compress` takes; None: all rows count alike.
        seed: the search's randomness.
        show_progress: whether to show a bar.

    Returns:
        Codes of the same words and size. No round makes the (weighted) error larger.

    Raises:
        InputError: if vectors, weights and codes do not fit each other.
    """
    from jaxcompress.codes.encode import check_rows
    from jaxcompress.codes.rows import make_table

    rows = check_rows(vectors, codes.dim)
    if len(rows) != len(codes):
        raise InputError(
            f"{len(rows)} vectors and codes of {len(codes)} rows; expected equal numbers."
        )
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
    """Gives weights [N] from numbers, or from what `config.data.weights` may be."""
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
    """Refines codes, and writes their error to the metadata."""
    from jaxcompress.codes.measure import code_errors
    from jaxcompress.codes.refine import refine_codes

    refined = refine_codes(table, codes, config, seed=seed, show_progress=show_progress).codes
    error = code_errors(table, refined)["all"]["mean_squared_l2"]
    return dataclasses.replace(
        refined, metadata={**refined.metadata, "mean_squared_l2": repr(error)}
    )
