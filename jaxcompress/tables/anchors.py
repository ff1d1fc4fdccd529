"""Sparse mixes of anchors as an embedding, learned from scratch with the task.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197: E = T A (eq. 1). The optimiser keeps T sparse and at
least 0 (`anchors/yogi.py`).

Axis letters: V rows, K anchors, D dimensions.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaxcompress.anchors.params import to_artefact
from jaxcompress.anchors.table import AnchorTable
from jaxcompress.tables.word_table import UNKNOWN, Embedding, WordTable, gather_ids, row_names


def anchor_table(
    words: Sequence[str], num_anchors: int, dim: int, *, unknown: str | None = UNKNOWN
) -> WordTable:
    """Makes a table of mixes: `params` are `transform` float32 [V, K], `anchors` [K, D].

    Args:
        words: names of the rows.
        num_anchors: K.
        dim: D.
        unknown: the name of a further row, for all other words; None: there is none.

    >>> import jax
    >>> params = anchor_table(["a", "b"], num_anchors=4, dim=5).embedding.init(jax.random.key(0))
    >>> {name: value.shape for name, value in sorted(params.items())}
    {'anchors': (4, 5), 'transform': (3, 4)}
    """
    names = row_names(words, unknown)
    table = AnchorTable(len(names), num_anchors, dim)
    active = np.ones(num_anchors, bool)

    def init(key):
        return table.init(key, jnp.zeros(1, int), active)["params"]

    def apply(params, ids):
        return table.apply({"params": params}, ids, active)

    return WordTable(
        words=words,
        dim=dim,
        embedding=Embedding(init, apply, non_negative=True),
        data=(),
        gather=gather_ids,
        to_artefact=lambda params: to_artefact(params, words=names),
    )
