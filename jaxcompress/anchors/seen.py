"""What each user has been trained on, beside the tables: a file of its own, since it is data."""

import dataclasses
from pathlib import Path

import numpy as np

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.anchors.recommender import SEEN_COUNTS, SEEN_ITEMS
from jaxcompress.storage.tensors import read_tensors, write_tensors

FORMAT = "jaxcompress.seen"
SEEN_FILE = "seen.safetensors"  # its name in a run's export


def write_seen(file: Path, users: np.ndarray, items: np.ndarray, num_users: int) -> None:
    """Writes pairs of a user and an item, numbers of rows, int [n] each."""
    order = np.lexsort((items, users))
    counts = np.bincount(users, minlength=num_users)
    tensors = {SEEN_COUNTS: counts.astype(np.uint32), SEEN_ITEMS: items[order].astype(np.uint32)}
    write_tensors(file, tensors, FORMAT, {})


def with_seen(table: SparseAnchors, file: Path) -> SparseAnchors:
    """Adds to the extras of a table of users and items what lies beside its file, if it does."""
    seen = file.with_name(SEEN_FILE)
    if "users" not in table.parts or not seen.exists():
        return table
    tensors, _ = read_tensors(seen, (FORMAT,))
    return dataclasses.replace(table, extras={**table.extras, **tensors})
