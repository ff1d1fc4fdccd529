"""From a trained state to codes that are refined and stored, or those that a workdir has of it.

Departure from the paper: codes and codebooks are refined after training, unless
`refine.num_rounds` is 0.

Of a table that is split by rows, codes stay beside their rows, and what is kept of them is the file
that the run exports.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.checkpoint import find_artefact, save_artefact
from jaxcompress.codes.extend import refine_with_groups
from jaxcompress.codes.files import CODES_FILE
from jaxcompress.codes.finish import store_as
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.placed import PlacedCodes
from jaxcompress.codes.refine import FOLDER
from jaxcompress.codes.split_file import read_split, write_split
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.dccl.config import refine_config
from jaxcompress.dccl.export import encode_rows, export_encoder, to_codes
from jaxcompress.dccl.prepare import Problem
from jaxcompress.engine.job import Fitted
from jaxcompress.engine.report import say
from jaxcompress.engine.task import TrainState
from jaxcompress.storage.places import delete_folder


class Learned(NamedTuple):
    """What a trained state was made into; codes of a table that is split by rows are `PlacedCodes`.

    Attributes:
        trained: codes before refinement.
        codes: codes after it.
        errors: figures of `code_errors` after it.
        refine_seconds: seconds that refinement took, over all parts of the run.
    """

    trained: Codes | PlacedCodes
    codes: Codes | PlacedCodes
    errors: dict[str, dict[str, float]]
    refine_seconds: float


def learn_codes(problem: Problem, fitted: Fitted, vectors: Vectors, path: Path) -> Learned:
    """Encodes, refines and stores, or takes the codes of this very state from the workdir.

    Args:
        problem: what was trained.
        fitted: the state, whose step tells it from others.
        vectors: names and source of the rows.
        path: the run's folder, opened; the codes are kept in it.
    """
    about = {"source": vectors.source, "step": str(int(fitted.state.step))}
    config, table = problem.config, problem.table
    trained = _encode(problem, fitted, vectors.words)
    if (found := _find(problem, path, about["step"])) is not None:
        delete_refinement_checkpoints(path)
        saved, metadata = found
        if isinstance(trained, Codes):
            saved = dataclasses.replace(saved, encoder=trained.encoder)
        errors = code_errors(table, saved)
        return Learned(trained, saved, errors, float(metadata["refine_seconds"]))
    refine = refine_config(config, len(table.rows))
    if refine.num_rounds:
        say(f"{refine.num_rounds} rounds of refinement ...")
    refined = refine_with_groups(
        table,
        trained,
        refine,
        config.model.num_groups,
        config.model.codebooks_per_group,
        seed=config.seed,
        workdir=path,
        label=about["step"],
        say=say,
        show_progress=jax.process_index() == 0,
    )
    about["refine_seconds"] = f"{refined.seconds:.3f}"
    stored = store_as(
        table,
        refined.codes,
        config.codebook_type,
        seed=config.seed,
        num_rounds=min(1, refine.num_rounds),  # without refinement: codes of the encoder
        say=say,
    )
    errors = code_errors(table, stored)
    about["mean_squared_l2"] = repr(errors["all"]["mean_squared_l2"])
    if isinstance(stored, Codes):
        stored = dataclasses.replace(stored, metadata=about)
        save_artefact(path, stored)
    else:
        file = path / "export" / CODES_FILE
        _write_file(problem, fitted.state, vectors.words, stored, about, file)
    delete_refinement_checkpoints(path)
    return Learned(trained, stored, errors, refined.seconds)


def _encode(problem: Problem, fitted: Fitted, words: Sequence[str] | None) -> Codes | PlacedCodes:
    if problem.is_split:
        return encode_rows(problem, fitted.state)
    codes = to_codes(problem, fitted.state, words)
    return codes if problem.config.export_encoder else dataclasses.replace(codes, encoder=None)


def _find(problem: Problem, path: Path, step: str) -> tuple[Any, Mapping[str, str]] | None:
    """Finds the codes of a state, and their metadata, in the run's folder."""
    if problem.is_split:
        return read_split(path / "export" / CODES_FILE, problem.table, step)
    saved = find_artefact(path)
    return None if saved is None or saved.metadata.get("step") != step else (saved, saved.metadata)


def _write_file(
    problem: Problem,
    state: TrainState,
    words: Sequence[str] | None,
    codes: PlacedCodes,
    about: Mapping[str, str],
    file: Path,
) -> None:
    encoder = None
    if problem.config.export_encoder:
        arrays = jax.device_get((state.params, state.aux))
        encoder = export_encoder(*arrays, problem.table.exponent)
    file.parent.mkdir(exist_ok=True)
    write_split(file, problem.table, codes, words, encoder, about)


def delete_refinement_checkpoints(path: Path) -> None:
    """Deletes the rounds that a finished refinement has kept in a workdir, on process 0."""
    if jax.process_index() == 0:
        delete_folder(path / FOLDER)
