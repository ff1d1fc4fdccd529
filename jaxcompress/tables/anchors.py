"""What a classifier can read words with: vectors, codes, or tables learned with the task.

What is not trained is data: it lies on the device once, in no checkpoint, and tokens become vectors
as a batch is gathered.

Given tables are read along their principal axes, each scaled to a variance near 1. A first layer
could learn as much, and nothing is lost; but an optimiser's steps are then of one size in all
directions, and what lies in the small ones is learned too. It matters for codes most: these keep
the large directions and shrink the small ones.

Axis letters: B texts, T tokens, V rows, D dimensions, M codebooks, K codewords.
"""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import scipy.sparse

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.anchors.table import AnchorTable
from jaxcompress.tables.word_table import UNKNOWN, Embedding, WordTable, take_ids


def anchor_table(words: Sequence[str], num_anchors: int, dim: int) -> WordTable:
    """Sparse non-negative mixes of anchors (Liang et al. 2021), learned with the task."""
    table = AnchorTable(len(words) + 1, num_anchors, dim)
    active = np.ones(num_anchors, bool)

    def init(key):
        return table.init(key, jnp.zeros(1, int), active)["params"]

    def artefact(params):
        transform = scipy.sparse.csr_matrix(params["transform"])
        made = SparseAnchors.from_csr(transform, params["anchors"])
        return dataclasses.replace(made, names=[*words, UNKNOWN])

    embedding = Embedding(
        init, lambda params, ids: table.apply({"params": params}, ids, active), non_negative=True
    )
    return WordTable(words, dim, embedding, (), take_ids, artefact)
