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
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse

from jaxcompress.ant import AnchorTable
from jaxcompress.compressed import Codes
from jaxcompress.lookup import sum_codewords
from jaxcompress.sentiment import Embedding
from jaxcompress.sparse_anchors import SparseAnchors

_SAMPLE = 10_000  # rows that the axes are computed of
_RIDGE = 0.1  # of the mean variance, added to each: noise in the least axes is not blown up
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


def frozen_vectors(words: Sequence[str], rows: np.ndarray) -> WordTable:
    """Vectors as they are, float [V, D], along their axes; an unknown word's is of zeros."""
    axes = _principal_axes(rows)
    turned = np.empty(rows.shape, rows.dtype)
    for start in range(0, len(rows), _SAMPLE):
        chunk = slice(start, start + _SAMPLE)
        turned[chunk] = (rows[chunk] - axes.mean) @ axes.to

    def read(turned, ids):
        return turned.at[ids].get(mode="fill", fill_value=0).astype(jnp.float32)

    return WordTable(words, rows.shape[1], _FROZEN, turned, read, lambda params: rows)


def frozen_codes(codes: Codes) -> WordTable:
    """Sums of codewords as they are, along their axes; an unknown word's is of zeros."""

    def read(data, ids):
        return _decode(data["codebooks"], _read_codes(data["codes"], ids))

    turned = _turn(codes.codebooks, _principal_axes(codes))
    data = {"codes": codes.codes, "codebooks": turned}
    return WordTable(codes.words, codes.dim, _FROZEN, data, read, lambda params: codes)


def trained_codebooks(codes: Codes) -> WordTable:
    """Codes as they are, over codebooks that are trained with the task."""
    axes = _principal_axes(codes)
    embedding = Embedding(
        lambda key: {"codebooks": jnp.asarray(_turn(codes.codebooks, axes))},
        lambda params, tokens: _decode(params["codebooks"], tokens),
    )

    def artefact(params):
        codebooks = _turn_back(params["codebooks"], axes)
        return dataclasses.replace(codes, codebooks=codebooks, encoder=None)

    return WordTable(codes.words, codes.dim, embedding, codes.codes, _read_codes, artefact)


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
    return WordTable(words, dim, embedding, (), _ids, artefact)


def dense_table(words: Sequence[str], dim: int) -> WordTable:
    """A matrix, learned with the task."""

    def init(key):
        return {"rows": 0.1 * jax.random.normal(key, (len(words) + 1, dim))}

    embedding = Embedding(init, lambda params, ids: params["rows"][ids])
    return WordTable(words, dim, embedding, (), _ids, lambda params: params["rows"])


_FROZEN = Embedding(lambda key: {}, lambda params, vectors: vectors)


class _Axes(NamedTuple):
    """Principal axes of a table: `(row - mean) @ to` has variances near 1, `back` undoes `to`.

    Attributes:
        mean: [D].
        to: [D, D].
        back: [D, D].
    """

    mean: np.ndarray
    to: np.ndarray
    back: np.ndarray


def _principal_axes(table: np.ndarray | Codes) -> _Axes:
    picked = np.arange(0, len(table), -(-len(table) // _SAMPLE))
    rows = table.decode(picked) if isinstance(table, Codes) else table[picked]
    rows = rows.astype(np.float32)
    mean = rows.mean(axis=0)
    variances, axes = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    variances = np.maximum(variances, 0)
    rounding = 1e-6 * np.square(mean).mean() + 1e-30  # of a table whose rows are all alike
    deviations = np.sqrt(variances + _RIDGE * variances.mean() + rounding)
    return _Axes(mean, axes / deviations, deviations[:, None] * axes.T)


def _turn(codebooks: np.ndarray, axes: _Axes) -> np.ndarray:
    """Codebooks [M, K, D] whose sums are turned; the first one takes the mean off."""
    turned = codebooks @ axes.to
    turned[0] -= axes.mean @ axes.to
    return turned


def _turn_back(turned: np.ndarray, axes: _Axes) -> np.ndarray:
    codebooks = turned @ axes.back
    codebooks[0] += axes.mean
    return codebooks


def _ids(data: Any, ids: jax.Array) -> jax.Array:
    return ids


def _read_codes(codes: jax.Array, ids: jax.Array) -> dict[str, jax.Array]:
    """`codes` int [B, T, M] of tokens, and which are `known` [B, T]."""
    return {"codes": codes.at[ids].get(mode="clip"), "known": ids < len(codes)}


def _decode(codebooks: jax.Array, tokens: dict[str, jax.Array]) -> jax.Array:
    codes = tokens["codes"]
    rows = sum_codewords(codebooks, codes.reshape(-1, codes.shape[-1]))
    return jnp.where(tokens["known"][..., None], rows.reshape(*codes.shape[:-1], -1), 0.0)
