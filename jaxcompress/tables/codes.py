"""Given codes as an embedding: a word's vector is a sum of one codeword from each codebook.

Shu & Nakayama, ICLR 2018, arXiv 1711.01068, eq. 2. The codes are fixed; the codebooks are too, or
are trained with the task. Both are read along the principal axes of the table that they stand for.

Axis letters: B texts, T tokens, V rows, D dimensions, M codebooks, K codewords.
"""

import dataclasses

import jax
import jax.numpy as jnp

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.codebook_types import fold, is_folded, is_integers, round_codebooks
from jaxcompress.codes.decode import sum_codewords
from jaxcompress.engine.partial_sums import map_parts
from jaxcompress.tables.whitening import (
    fit_whitening,
    no_whitening,
    unwhiten_codebooks,
    whiten_codebooks,
)
from jaxcompress.tables.word_table import FROZEN, Embedding, WordTable


def frozen_codes(codes: Codes) -> WordTable:
    """Makes a table of codes that is not trained; an unknown word's vector is zeros."""

    def gather(data, ids):
        return _decode(data["codebooks"], gather_codes(data["codes"], ids))

    whitened = whiten_codebooks(codes.codebooks, fit_whitening(codes))
    return WordTable(
        words=codes.words,
        dim=codes.dim,
        embedding=FROZEN,
        data={"codes": codes.codes, "codebooks": whitened},
        gather=gather,
        to_artefact=lambda params: codes,
    )


def trained_codebooks(codes: Codes, *, whiten: bool = True) -> WordTable:
    """Makes a table of fixed codes: `params` are `{"codebooks": float32 [M, K, D]}`, whitened.

    Without `whiten`, rows are those of the codes at first, as a model takes them that multiplies by
    them too.

    An unknown word's vector is zeros. What is stored are codebooks of the given vectors' axes; an
    encoder is left out, since it made the codes for the codebooks as they were. Codebooks given in
    a smaller type, or without their last codewords, are stored so, but not as integers, which would
    lose some of what was learned. Trained along the principal axes, they span all dimensions.
    """
    whitening = fit_whitening(codes) if whiten else no_whitening(codes.dim)
    is_small = codes.codebook_type != "float32" or is_folded(codes.codebooks, codes.groups)
    kind = "float16" if is_integers(codes.codebook_type) else codes.codebook_type

    def init(key):
        return {"codebooks": jnp.asarray(whiten_codebooks(codes.codebooks, whitening))}

    def to_artefact(params):
        codebooks = unwhiten_codebooks(params["codebooks"], whitening)
        if is_small:
            codebooks = round_codebooks(fold(codebooks), kind)
        return dataclasses.replace(
            codes, codebooks=codebooks, encoder=None, groups=None, codebook_type=kind
        )

    return WordTable(
        words=codes.words,
        dim=codes.dim,
        embedding=Embedding(init, apply_codebooks, every=sum_codebooks),
        data=codes.codes,
        gather=gather_codes,
        to_artefact=to_artefact,
    )


def gather_codes(codes: jax.Array, ids: jax.Array) -> dict[str, jax.Array]:
    """Takes the codes [V, M] of ids int [B, T].

    Returns:
        `codes` int [B, T, M], and `known` bool [B, T], false for id V.
    """
    return {"codes": codes.at[ids].get(mode="clip"), "known": ids < len(codes)}


def apply_codebooks(params: dict[str, jax.Array], tokens: dict[str, jax.Array]) -> jax.Array:
    """Gives tokens vectors [B, T, D] by codebooks [M, K, D] that are trained.

    A step adds up one gradient of the codebooks over all devices. Without parts it would send that
    of their pairs, which is eight times as large, or of one codebook after another.
    """
    return map_parts(_decode, params["codebooks"], tokens)


def sum_codebooks(params: dict[str, jax.Array], codes: jax.Array) -> jax.Array:
    """Makes the rows of all words [V, D]: they are no batch, and every device makes them."""
    return sum_codewords(params["codebooks"], codes)


def _decode(codebooks: jax.Array, tokens: dict[str, jax.Array]) -> jax.Array:
    """Sums the tokens' codewords (eq. 2): codebooks [M, K, D] -> [B, T, D], zeros if unknown."""
    codes = tokens["codes"]
    rows = sum_codewords(codebooks, codes.reshape(-1, codes.shape[-1]))
    return jnp.where(tokens["known"][..., None], rows.reshape(*codes.shape[:-1], -1), 0.0)
