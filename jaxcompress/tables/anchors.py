"""Sparse mixes of anchors as an embedding, learned from scratch with the task.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197: E = T A (eq. 1). The optimiser keeps T sparse and at
least 0 (`anchors/yogi.py`).

Axis letters: V rows, K anchors, D dimensions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcompress.anchors.params import to_artefact
from jaxcompress.anchors.table import ANCHOR_SCALE, TRANSFORM_SCALE, AnchorTable
from jaxcompress.tables.word_table import UNKNOWN, Embedding, WordTable, gather_ids, row_names


def anchor_table(
    words: Sequence[str],
    num_anchors: int,
    dim: int,
    *,
    scale: float | None = None,
    unknown: str | None = UNKNOWN,
    aux: Callable[[], dict[str, Any]] = dict,
    adapt: Callable[..., tuple[dict, dict]] | None = None,
) -> WordTable:
    """Makes a table of mixes: `params` are `transform` float32 [V, K], `anchors` [K, D].

    Args:
        words: names of the rows.
        num_anchors: K.
        dim: D.
        scale: about the deviation of the first values of rows; None: that of `AnchorTable`.
        unknown: the name of a further row, for all other words; None: there is none.
        aux: makes `active` bool [K], the anchors that count, and what `adapt` knows; by default
            there is nothing of it, and all count.
        adapt: what changes after an evaluation, as `Embedding` has it.

    >>> import jax
    >>> params = anchor_table(["a", "b"], num_anchors=4, dim=5).embedding.init(jax.random.key(0))
    >>> {name: value.shape for name, value in sorted(params.items())}
    {'anchors': (4, 5), 'transform': (3, 4)}
    """
    names = row_names(words, unknown)
    table = AnchorTable(len(names), num_anchors, dim)
    everything = np.ones(num_anchors, bool)

    def init(key):
        params = table.init(key, jnp.zeros(1, int), everything)["params"]
        if scale is None:
            return params
        in_use = aux().get("active", everything).sum()
        deviation = TRANSFORM_SCALE * ANCHOR_SCALE * in_use**0.5
        return {**params, "anchors": params["anchors"] * (scale / deviation)}

    def apply(params, ids):
        own = {name: params[name] for name in ("transform", "anchors")}
        return table.apply({"params": own}, ids, params.get("active", everything))

    return WordTable(
        words=words,
        dim=dim,
        embedding=Embedding(init, apply, non_negative=True, aux=aux, adapt=adapt),
        data=(),
        gather=gather_ids,
        to_artefact=lambda params: to_artefact(params, params.get("active"), names),
    )
