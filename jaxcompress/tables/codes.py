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

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.decode import sum_codewords
from jaxcompress.tables.axes import Axes, principal_axes
from jaxcompress.tables.word_table import Embedding, WordTable

FROZEN = Embedding(lambda key: {}, lambda params, vectors: vectors)


def frozen_codes(codes: Codes) -> WordTable:
    """Sums of codewords as they are, along their axes; an unknown word's is of zeros."""

    def read(data, ids):
        return _decode(data["codebooks"], _read_codes(data["codes"], ids))

    turned = _turn(codes.codebooks, principal_axes(codes))
    data = {"codes": codes.codes, "codebooks": turned}
    return WordTable(codes.words, codes.dim, FROZEN, data, read, lambda params: codes)


def trained_codebooks(codes: Codes) -> WordTable:
    """Codes as they are, over codebooks that are trained with the task."""
    axes = principal_axes(codes)
    embedding = Embedding(
        lambda key: {"codebooks": jnp.asarray(_turn(codes.codebooks, axes))},
        lambda params, tokens: _decode(params["codebooks"], tokens),
    )

    def artefact(params):
        codebooks = _turn_back(params["codebooks"], axes)
        return dataclasses.replace(codes, codebooks=codebooks, encoder=None)

    return WordTable(codes.words, codes.dim, embedding, codes.codes, _read_codes, artefact)


def _turn(codebooks: np.ndarray, axes: Axes) -> np.ndarray:
    """Codebooks [M, K, D] whose sums are turned; the first one takes the mean off."""
    turned = codebooks @ axes.to
    turned[0] -= axes.mean @ axes.to
    return turned


def _turn_back(turned: np.ndarray, axes: Axes) -> np.ndarray:
    codebooks = turned @ axes.back
    codebooks[0] += axes.mean
    return codebooks


def _read_codes(codes: jax.Array, ids: jax.Array) -> dict[str, jax.Array]:
    """`codes` int [B, T, M] of tokens, and which are `known` [B, T]."""
    return {"codes": codes.at[ids].get(mode="clip"), "known": ids < len(codes)}


def _decode(codebooks: jax.Array, tokens: dict[str, jax.Array]) -> jax.Array:
    codes = tokens["codes"]
    rows = sum_codewords(codebooks, codes.reshape(-1, codes.shape[-1]))
    return jnp.where(tokens["known"][..., None], rows.reshape(*codes.shape[:-1], -1), 0.0)
