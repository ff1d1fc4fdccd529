"""Sparse mixes of anchors as an embedding, learned from scratch with the task.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197: E = T A (eq. 1). The optimiser keeps T sparse and at
least 0 (`anchors/yogi.py`).

Axis letters: V words, K anchors, D dimensions. The table has V + 1 rows; the last one is the
unknown word's.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaxcompress.anchors.params import to_artefact
from jaxcompress.anchors.table import AnchorTable
from jaxcompress.tables.word_table import UNKNOWN, Embedding, WordTable, gather_ids


def anchor_table(words: Sequence[str], num_anchors: int, dim: int) -> WordTable:
    """Makes a table of mixes: `params` are `transform` float32 [V + 1, K], `anchors` [K, D].

    >>> import jax
    >>> params = anchor_table(["a", "b"], num_anchors=4, dim=5).embedding.init(jax.random.key(0))
    >>> {name: value.shape for name, value in sorted(params.items())}
    {'anchors': (4, 5), 'transform': (3, 4)}
    """
    table = AnchorTable(len(words) + 1, num_anchors, dim)
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
        to_artefact=lambda params: to_artefact(params, words=[*words, UNKNOWN]),
    )
