"""`compress` and `refine`: from a table to codes in one call, which is when jax is loaded."""

import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.codebook_types import is_folded
from jaxcompress.codes.config import RefineConfig
from jaxcompress.codes.metric import make_metric
from jaxcompress.compressed.neighbours import unit_rows
from jaxcompress.data.vectors.arrays import take_numbers, take_rows, take_words
from jaxcompress.data.vectors.weights import check_weights, normalize_weights, read_weights
from jaxcompress.dccl.config import Config, refine_config
from jaxcompress.errors import InputError
from jaxcompress.notes import note

if TYPE_CHECKING:
    from jaxcompress.codes.rows import PreparedTable


def compress(
    vectors: Any,
    num_codebooks: int | None = None,
    num_codewords: int | None = None,
    *,
    words: Any = None,
    weights: Any = None,
    config: Config | None = None,
    seed: int | None = None,
    show_progress: bool | None = None,
    codebook_type: str | None = None,
    export_encoder: bool | None = None,
    target_mb: float | None = None,
    effort: str | None = None,
    metric: Any = None,
    objective: str = "l2",
) -> Codes:
    """Compresses a table to codes: M*ceil(log2 K) bits per row, and M codebooks of K codewords.

    An autoencoder is trained on the rows, then codes and codebooks are refined. The codebooks are
    rounded to how files hold them, and codes are searched for these. Notes go to the logger
    "jaxcompress".

    Args:
        vectors: float [N, D]: NumPy, or anything `np.asarray` takes; a tensor of PyTorch, on any
            device; what `jaxcompress.data.read_vectors` or `load` gives; or KeyedVectors of gensim.
        num_codebooks: M; None: `config.model.num_codebooks`.
        num_codewords: K; None: `config.model.num_codewords`.
        words: the N names of the rows; None: those that the vectors bring, if any, or else rows
            are named by their numbers.
        weights: [N], at least 0, how much each row counts, for example how often it is read; or
            "zipf" or the name of a file, as in `config.data.weights`; None: what
            `config.data.weights` says.
        config: further settings; None: those of `configs/glove.py`. Here no rows are held out
            unless `data.valid_rows` says so, and `data.path` and `data.tensor` are not read.
        seed: seeds everything that is drawn; None: `config.seed`.
        show_progress: whether to show a bar; None: on a terminal and in a notebook.
        codebook_type: how files hold the codebooks: "float32", "float16", "int8", "int6", "int5" or
            "int4"; None: `config.codebook_type`, which by default is float16 unless that moves the
            mean squared error by 0.01 % or more, and with a target whatever is best.
        export_encoder: whether the encoder is kept with the codes; None: `config.export_encoder`,
            by default not.
        target_mb: 10^6 bytes of codes and codebooks; M, K, groups and type of the codebooks are
            those of least predicted error within. None: `config.target_mb`, if M and K are not
            given.
        effort: "fast", "default" or "best": how long to train and refine; None: `config.effort`.
        metric: what the error is measured by: a symmetric [D, D] without negative eigenvalues, or
            queries [Q, D], whose second moment it is; for example the hidden states that a table
            of output vectors is multiplied with. None: all directions count alike.
        objective: "l2"; or "cosine", for which rows are brought to unit length first, so that the
            codes stand for directions alone.

    Returns:
        The codes of all rows and the codebooks: those of the best state of the training, as in a
        run of `jaxcompress.dccl`.

    Raises:
        InputError: if the vectors are no finite matrix, weights or words are invalid, or any of
            them does not fit the settings.

    Reference:
        Shu & Nakayama, ICLR 2018, arXiv 1711.01068.
    """
    from jaxcompress.codes.extend import refine_with_groups
    from jaxcompress.codes.finish import store_as
    from jaxcompress.codes.rows import make_table
    from jaxcompress.dccl.export import to_codes
    from jaxcompress.dccl.prepare import prepare
    from jaxcompress.dccl.target import settle_target
    from jaxcompress.engine.loop import fit

    config = _settle(
        config or Config(),
        num_codebooks=num_codebooks,
        num_codewords=num_codewords,
        seed=seed,
        codebook_type=codebook_type,
        effort=effort,
        target_mb=target_mb,
    )
    rows, own_words = take_rows(vectors)
    words = take_words(own_words if words is None else words, len(rows))
    weights = config.data.weights if weights is None else weights
    weights = _take_weights(weights, len(rows), words, config.data.max_rows)
    rows = _for_objective(rows[: config.data.max_rows], objective)
    words = None if words is None else words[: config.data.max_rows]
    if metric is not None and config.model.codebooks_per_group:
        raise InputError(
            "metric is given, and model.codebooks_per_group is "
            f"{config.model.codebooks_per_group}; expected 0, since a metric mixes the dimensions."
        )
    measure = None if metric is None else make_metric(metric, rows.shape[1])
    given, rows = rows, rows if measure is None else measure.of_rows(rows)
    config = settle_target(rows, config, note, can_group=measure is None)
    problem = prepare(rows, config, weights=weights, say=note)
    show = _is_watched() if show_progress is None else show_progress
    fitted = fit(problem.job, say=note, show_progress=show, keep_best=True)
    trained = to_codes(problem, fitted.state, words)
    if not (config.export_encoder if export_encoder is None else export_encoder):
        trained = dataclasses.replace(trained, encoder=None)
    refine = refine_config(config, len(rows))
    model = config.model
    refined = refine_with_groups(
        problem.table,
        trained,
        refine,
        model.num_groups,
        model.codebooks_per_group,
        seed=config.seed,
        say=note,
        show_progress=show,
    ).codes
    stored = store_as(
        problem.table,
        refined,
        config.codebook_type,
        metric=measure,
        seed=config.seed,
        num_rounds=min(1, refine.num_rounds or 0),
        say=note,
    )
    table = problem.table if measure is None else make_table(given, problem.table.weights)
    return _with_error(table, stored)


def _for_objective(rows: np.ndarray, objective: str) -> np.ndarray:
    if objective not in ("l2", "cosine"):
        raise InputError(f'objective is {objective!r}; it must be "l2" or "cosine".')
    return rows if objective == "l2" else unit_rows(rows.astype(np.float32))


def _settle(
    config: Config, *, num_codebooks: int | None, num_codewords: int | None, **given: Any
) -> Config:
    """Puts what was given in the place of what the config says."""
    if not isinstance(config, Config):
        raise InputError(
            f"config is a {type(config).__name__}; expected a jaxcompress.dccl.Config."
        )
    size: dict[str, Any] = {"num_codebooks": num_codebooks, "num_codewords": num_codewords}
    size = {name: value for name, value in size.items() if value is not None}
    given = {name: value for name, value in given.items() if value is not None}
    if size and "target_mb" in given:
        raise InputError(
            f"{' and '.join(size)} and target_mb are given; expected either, since target_mb "
            "chooses the size."
        )
    if size:  # it takes the place of the config's target
        given["target_mb"] = None
    settled = dataclasses.replace(
        config,
        **given,
        model=dataclasses.replace(config.model, **size),
        data=dataclasses.replace(config.data, valid_rows=config.data.valid_rows or 0),
    )
    settled.check()
    if settled.data.max_rows is not None and settled.data.max_rows < 1:
        raise InputError(f"data.max_rows is {settled.data.max_rows}; it must be at least 1.")
    return settled


def refine(
    codes: Codes,
    vectors: Any,
    *,
    num_rounds: int = 40,
    weights: Any = None,
    seed: int = 0,
    show_progress: bool | None = None,
) -> Codes:
    """Improves codes and codebooks of a table, whatever made them; the size stays the same.

    Codebooks that files hold in a smaller type, or without their last codewords, stay so.

    Args:
        codes: codes of the rows of `vectors`, in their order.
        vectors: float [N, D], as `compress` takes them.
        num_rounds: rounds of local search and least-squares codebooks; more than 40 gain little.
            Codebooks of M*K > 8,192 codewords stay as they are, and a note says so.
        weights: what `compress` takes; None: all rows count alike.
        seed: the search's randomness.
        show_progress: whether to show a bar; None: on a terminal and in a notebook.

    Returns:
        Codes of the same words and size, whose (weighted) error is never larger than before.

    Raises:
        InputError: if vectors, weights and codes do not fit each other.
    """
    from jaxcompress.codes.finish import squared_error, store_as
    from jaxcompress.codes.rows import make_table

    rows, words = take_rows(vectors, codes.dim)
    if len(rows) != len(codes):
        raise InputError(
            f"{len(rows)} vectors and codes of {len(codes)} rows; expected equal numbers."
        )
    if words is not None and codes.words is not None and words != list(codes.words):
        raise InputError(
            "the words of the vectors are not those of the codes; expected the same, in one order."
        )
    if len(rows) < codes.num_codewords:
        raise InputError(
            f"{len(rows)} rows are fewer than the {codes.num_codewords} codewords of a codebook; "
            "codebooks cannot be fitted to them."
        )
    weights = _take_weights(weights, len(rows), codes.words)
    if weights is not None:
        weights = normalize_weights(weights, np.arange(len(rows)))
    if num_rounds < 0:
        raise InputError(f"num_rounds is {num_rounds}; it must be at least 0.")
    show = _is_watched() if show_progress is None else show_progress
    table = make_table(rows, weights)
    refined = _refine(table, codes, RefineConfig(num_rounds=num_rounds), seed, show)
    is_small = codes.codebook_type != "float32" or is_folded(codes.codebooks, codes.groups)
    if num_rounds and is_small:
        refined = store_as(table, refined, codes.codebook_type, seed=seed, say=note)
        if squared_error(table, refined) > squared_error(table, codes):  # by what rounding costs
            refined = codes
    return _with_error(table, refined)


def _take_weights(
    weights: Any, num_rows: int, words: Sequence[str] | None, max_rows: int | None = None
) -> np.ndarray | None:
    """Gives the weights of the first `max_rows` rows (None: of all).

    Args:
        weights: numbers, of all rows or of those that are kept; or what `config.data.weights` may
            be, which is of those that are kept.
        num_rows: all rows.
        words: the names of all rows; None: they have none.
        max_rows: rows that are kept.
    """
    if weights is None:
        return None
    num_kept = min(num_rows, max_rows or num_rows)
    if isinstance(weights, (str, os.PathLike)):
        kept_words = None if words is None else words[:num_kept]
        values, notes = read_weights(os.fspath(weights), num_kept, kept_words)
        for line in notes:
            note(line)
        return values
    values = take_numbers(weights, "weights", "list")
    if values.ndim == 1 and len(values) == num_rows:
        values = values[:num_kept]
    return check_weights(values, num_kept, "weights")


def _is_watched() -> bool:
    """Tells whether someone sees a bar: on a terminal, or in a notebook."""
    shell = sys.modules.get("IPython")
    if shell is not None and hasattr(shell.get_ipython(), "kernel"):
        return True
    return sys.stderr is not None and sys.stderr.isatty()


def _refine(
    table: "PreparedTable",
    codes: Codes,
    config: RefineConfig,
    seed: int,
    show_progress: bool,
) -> Codes:
    from jaxcompress.codes.refine import refine_codes

    return refine_codes(
        table, codes, config, seed=seed, say=note, show_progress=show_progress
    ).codes


def _with_error(table: "PreparedTable", codes: Codes) -> Codes:
    """Writes the error of codes to their metadata."""
    from jaxcompress.codes.measure import code_errors

    error = code_errors(table, codes)["all"]["mean_squared_l2"]
    return dataclasses.replace(codes, metadata={**codes.metadata, "mean_squared_l2": repr(error)})
