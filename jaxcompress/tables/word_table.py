"""The protocol of a table of words: what a model may take as its embedding.

A table has V rows, each with a word's name, and gives every token a vector. It has two halves:

- data, which are not trained: `gather` takes a batch's tokens from them as the batch is made;
- an `Embedding`, whose parameters are trained with the task: `apply` turns tokens into vectors.

So a batch of ids becomes vectors by
`table.embedding.apply(params, table.gather(data, ids))`, int [B, T] -> float [B, T, D]. A table
that is not trained has no parameters; one that is learned from scratch mostly has no data. A model
that predicts words needs the rows of all of them: `all_rows`.

Axis letters: B texts, T tokens, V rows, D dimensions.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.compressed.table import CompressedTable

UNKNOWN = "<unk>"  # the name of the last row of a table that is learned from scratch
SCALE = 0.1  # standard deviation of the first values of its rows


class Embedding(NamedTuple):
    """The trained half of a table: pure functions.

    Attributes:
        init: `key -> params`, a dictionary of arrays; `{}` if nothing is trained.
        apply: `params, tokens -> vectors`: tokens as `WordTable.gather` makes them, arrays [B, T]
            or [B, T, ...], to float [B, T, D].
        non_negative: whether `params["transform"]` is there and is to be sparse and at least 0.
        aux: `() -> aux`, arrays that the task keeps beside the parameters and gives to `apply`
            among them; `{}` if there are none.
        adapt: `step, key, params, aux, loss -> params, aux`: what the table changes after an
            evaluation that found such a loss; None: nothing.
        every: `params, data -> rows` [V, D], of all words at once, which are no batch; None: as
            `apply` makes them.
    """

    init: Callable[[jax.Array], dict[str, jax.Array]]
    apply: Callable[[dict[str, jax.Array], Any], jax.Array]
    non_negative: bool = False
    aux: Callable[[], dict[str, Any]] = dict
    adapt: Callable[..., tuple[dict[str, jax.Array], dict[str, Any]]] | None = None
    every: Callable[[dict[str, jax.Array], Any], jax.Array] | None = None


class WordTable(NamedTuple):
    """A table of words.

    Attributes:
        words: the V names of the rows. Id V stands for every word that is not among them.
        dim: D.
        embedding: the half that is trained.
        data: the half that is not: a pytree of NumPy arrays, `()` if there is none. It is placed on
            the devices once.
        gather: `data, ids -> tokens`: ids int [B, T], each in [0, V], to a pytree of arrays [B, T]
            or [B, T, ...]; pure, run on the device.
        to_artefact: `params -> artefact`: the table as it is stored, of parameters (and aux among
            them) on the host: an array float [V, D], or [V + 1, D] with the unknown word's row; or
            a `CompressedTable`.
    """

    words: Sequence[str]
    dim: int
    embedding: Embedding
    data: Any
    gather: Callable[[Any, jax.Array], Any]
    to_artefact: Callable[[dict[str, np.ndarray]], np.ndarray | CompressedTable]


def _no_params(key: jax.Array) -> dict[str, jax.Array]:
    return {}


def _tokens_are_vectors(params: dict[str, jax.Array], tokens: jax.Array) -> jax.Array:
    return tokens


FROZEN = Embedding(init=_no_params, apply=_tokens_are_vectors)  # `gather` has made the vectors


def gather_ids(data: tuple[()], ids: jax.Array) -> jax.Array:
    """Makes tokens of a table without data: the ids themselves, int [B, T]."""
    return ids


def row_names(words: Sequence[str], unknown: str | None) -> list[str]:
    """Names the rows of a table that is learned from scratch: the unknown word's is the last."""
    return list(words) if unknown is None else [*words, unknown]


def all_rows(table: WordTable, params: dict[str, Any], data: Any) -> jax.Array:
    """Makes the rows of all words, float [V, D]; `data` as it lies on the device."""
    if table.embedding.every is not None:
        return table.embedding.every(params, data)
    tokens = table.gather(data, jnp.arange(len(table.words)))
    return table.embedding.apply(params, tokens)
