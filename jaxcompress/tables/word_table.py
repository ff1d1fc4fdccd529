"""A classifier of texts, by which vectors are judged at work.

The task of Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning",
ICLR 2018, arXiv 1711.01068, section 5.2: an LSTM of 150 units reads a review word by word; a linear
layer tells its class. What gives words their vectors is an argument: see `token_embeddings.py`.

Axis letters: B texts, T tokens, D dimensions of a vector, H units, C classes.

Departures from the paper, which leaves these open: dropout is variational, one mask for a whole
text, of vectors and of the LSTM's outputs; forget gates start open.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.codes.artefact import Codes


class Embedding(NamedTuple):
    """What gives tokens their vectors: pure functions.

    Attributes:
        init: `key -> params`, `{}` where nothing is trained.
        apply: `params, tokens [B, T, ...] -> [B, T, D]`; `tokens` is `batch["tokens"]`.
        non_negative: whether `params["transform"]` is to be sparse and at least 0.
    """

    init: Callable[[jax.Array], dict]
    apply: Callable[[dict, jax.Array], jax.Array]
    non_negative: bool = False


UNKNOWN = "<unk>"  # the last row of a table that is learned from scratch


class WordTable(NamedTuple):
    """An embedding, the words of its rows, and what of it lies on the device untrained.

    Attributes:
        words: names of the rows. Id V is that of every other word.
        dim: D.
        embedding: what is trained.
        data: NumPy pytree.
        read: `data, ids int [B, T] -> tokens [B, T, ...]`, which `embedding.apply` takes.
        artefact: `params -> the table` as it is stored: an array [V, D], `Codes` or
            `SparseAnchors`.
    """

    words: Sequence[str]
    dim: int
    embedding: Embedding
    data: Any
    read: Callable[[Any, jax.Array], jax.Array]
    artefact: Callable[[dict], np.ndarray | Codes | SparseAnchors]


FROZEN = Embedding(lambda key: {}, lambda params, vectors: vectors)


def take_ids(data: Any, ids: jax.Array) -> jax.Array:
    return ids
