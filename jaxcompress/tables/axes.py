"""What a classifier can read words with: vectors, codes, or tables learned with the task.

What is not trained is data: it lies on the device once, in no checkpoint, and tokens become vectors
as a batch is gathered.

Given tables are read along their principal axes, each scaled to a variance near 1. A first layer
could learn as much, and nothing is lost; but an optimiser's steps are then of one size in all
directions, and what lies in the small ones is learned too. It matters for codes most: these keep
the large directions and shrink the small ones.

Axis letters: B texts, T tokens, V rows, D dimensions, M codebooks, K codewords.
"""

from typing import NamedTuple

import numpy as np

from jaxcompress.codes.artefact import Codes

_SAMPLE = 10_000  # rows that the axes are computed of


_RIDGE = 0.1  # of the mean variance, added to each: noise in the least axes is not blown up


class Axes(NamedTuple):
    """Principal axes of a table: `(row - mean) @ to` has variances near 1, `back` undoes `to`.

    Attributes:
        mean: [D].
        to: [D, D].
        back: [D, D].
    """

    mean: np.ndarray
    to: np.ndarray
    back: np.ndarray


def principal_axes(table: np.ndarray | Codes) -> Axes:
    picked = np.arange(0, len(table), -(-len(table) // _SAMPLE))
    rows = table.decode(picked) if isinstance(table, Codes) else table[picked]
    rows = rows.astype(np.float32)
    mean = rows.mean(axis=0)
    variances, axes = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    variances = np.maximum(variances, 0)
    rounding = 1e-6 * np.square(mean).mean() + 1e-30  # of a table whose rows are all alike
    deviations = np.sqrt(variances + _RIDGE * variances.mean() + rounding)
    return Axes(mean, axes / deviations, deviations[:, None] * axes.T)
