"""From the parameters of a table of mixes to its artefact, and back.

Axis letters: V rows, K anchors, D dimensions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.errors import InputError


def to_artefact(
    table: Mapping[str, Any], active: Any = None, words: Sequence[str] | None = None
) -> SparseAnchors:
    """Makes the artefact of trained parameters: entries that are not zero, and anchors in use.

    >>> to_artefact({"transform": np.array([[2.0, 0.0], [1.0, 3.0]]), "anchors": np.eye(2)})
    SparseAnchors(2 rows x 2, 2 anchors, 3 non-zeros, 33 bytes)

    Args:
        table: `transform` [V, K] and `anchors` [K, D], arrays of any float type; other parameters
            beside them are left out.
        active: bool [K], anchors in use; None: all.
        words: names of the rows; None: they are named by their numbers.

    Raises:
        InputError: if the two are not there or do not fit together.
    """
    if not isinstance(table, Mapping) or not {"transform", "anchors"} <= set(table):
        found = sorted(map(str, table)) if isinstance(table, Mapping) else type(table).__name__
        raise InputError(
            f"the parameters are {found}; expected 'transform' and 'anchors', those of one "
            "AnchorEmbed: params[NAME], or nnx.to_pure_dict(nnx.state(layer, nnx.Param))."
        )
    transform, anchors = (np.asarray(table[name], np.float32) for name in ("transform", "anchors"))
    if not (transform.ndim == anchors.ndim == 2 and transform.shape[1] == len(anchors)):
        raise InputError(
            f"transform {list(transform.shape)}, anchors {list(anchors.shape)}; expected [V, K] "
            "and [K, D]."
        )
    if active is not None:
        in_use = np.asarray(active, bool)
        transform, anchors = transform[:, in_use], anchors[in_use]
    return SparseAnchors.from_csr(transform, anchors, words=words)


def to_params(artefact: SparseAnchors, max_anchors: int | None = None) -> dict[str, np.ndarray]:
    """Makes the parameters of a layer: `transform` float32 [V, K] and `anchors` float32 [K, D].

    >>> params = to_params(SparseAnchors.from_csr(np.array([[2.0, 0.0], [1.0, 3.0]]), np.eye(2)))
    >>> params["transform"].tolist()
    [[2.0, 0.0], [1.0, 3.0]]

    Args:
        artefact: a table, or several below each other as one.
        max_anchors: anchors that the layer has room for; None: those of the artefact. Those that
            are free are zeros.

    Raises:
        InputError: if it is no artefact of anchors, or has more of them than there is room for.
    """
    if not isinstance(artefact, SparseAnchors):
        raise InputError(
            f"got an object of type {type(artefact).__name__}; expected jaxcompress.SparseAnchors, "
            "as jaxcompress.load_anchors(PATH) gives it."
        )
    free = 0 if max_anchors is None else max_anchors - artefact.num_anchors
    if free < 0:
        raise InputError(
            f"max_anchors is {max_anchors}; the artefact has {artefact.num_anchors} anchors."
        )
    return {
        "transform": np.pad(artefact.to_csr().toarray(), ((0, 0), (0, free))),
        "anchors": np.pad(artefact.anchors, ((0, free), (0, 0))),
    }
