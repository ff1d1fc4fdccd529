"""Codes and codebooks as a checkpoint in the workdir of a run: `WORKDIR/artefact`."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.groups import Groups
from jaxcompress.engine.arrays import load_arrays, save_arrays
from jaxcompress.errors import InputError
from jaxcompress.storage.places import absolute

_TABLE, _ENCODER = "table", "encoder"  # groups of arrays
# Beside the metadata; an artefact of an earlier release has neither of them.
_TYPE, _GROUPS = "jaxcompress.codebook_type", "jaxcompress.groups"


def save_artefact(workdir: str | os.PathLike, codes: Codes) -> None:
    """Saves codes, codebooks, words, metadata, and the encoder if there is one.

    Codebooks are float32, all of them: whatever a file of their type holds comes out of it exactly.
    """
    table = {"codes": codes.codes, "codebooks": codes.codebooks}
    groups: dict[str, Mapping[str, np.ndarray]] = {_TABLE: table}
    if codes.encoder:
        groups[_ENCODER] = codes.encoder
    about = {
        "words": None if codes.words is None else list(codes.words),
        _TYPE: codes.codebook_type,
        _GROUPS: None if codes.groups is None else list(codes.groups),
    }
    save_arrays(_folder(workdir), groups, {**codes.metadata, **about})


def find_artefact(workdir: str | os.PathLike) -> Codes | None:
    """Opens what `save_artefact` saved; None if there is none, or it cannot be read."""
    try:
        return load_artefact(workdir)
    except InputError:
        return None


def load_artefact(workdir: str | os.PathLike) -> Codes:
    """Opens what `save_artefact` saved.

    Raises:
        InputError: if there is none, or it cannot be read.
    """
    folder = _folder(workdir)
    hint = f"make it with: python -m train.dccl --mode export --workdir {workdir}"
    try:
        found = load_arrays(folder, (_TABLE, _ENCODER))
    except ValueError as error:
        raise InputError(f"{folder}: cannot be read ({error}); {hint}") from None
    if found is None:
        raise InputError(f"{workdir}: no artefact in it (looked at {folder}); {hint}")
    groups, metadata = found
    words, table = metadata.pop("words"), groups[_TABLE]
    codebook_type, lie = metadata.pop(_TYPE, "float32"), metadata.pop(_GROUPS, None)
    return Codes(
        table["codes"],
        table["codebooks"],
        words,
        groups.get(_ENCODER),
        metadata,
        None if lie is None else Groups(*lie),
        codebook_type,
    )


def _folder(workdir: str | os.PathLike) -> Path:
    return absolute(workdir) / "artefact"
