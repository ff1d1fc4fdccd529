"""Few rows that many words share as an embedding, learned from scratch with the task.

A word's vector is the sum of one row of each of H small tables, chosen by H hashes of the word.
With one it is the hashing trick (Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning", ICML 2009); with more, two words hardly ever share all of them (Serrà & Karatzoglou,
"Getting Deep Recommenders Fit: Bloom Embeddings for Sparse Binary Input/Output Networks", RecSys
2017). So these are codes that nobody has learned, and are kept as codes.

Axis letters: V rows, H hashes, K rows of each small table, D dimensions.
"""

import hashlib
from collections.abc import Sequence

import jax
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.errors import InputError
from jaxcompress.tables.codes import apply_codebooks, gather_codes, sum_codebooks
from jaxcompress.tables.word_table import SCALE, UNKNOWN, Embedding, WordTable, row_names


def hashed_table(
    words: Sequence[str],
    num_rows: int,
    dim: int,
    num_hashes: int = 2,
    *,
    scale: float = SCALE,
    unknown: str | None = UNKNOWN,
) -> WordTable:
    """Makes a table of shared rows: `params` are `{"codebooks": float32 [H, K, D]}`.

    Args:
        words: names of the rows.
        num_rows: H K, rows that are shared; what is left of it by H is left out.
        dim: D.
        num_hashes: H.
        scale: standard deviation of the first values of rows.
        unknown: the name of a further row, for all other words; None: there is none.

    Raises:
        InputError: if K is above 65,536.

    >>> table = hashed_table(["a", "b"], num_rows=6, dim=5)
    >>> table.embedding.init(jax.random.key(0))["codebooks"].shape
    (2, 3, 5)
    """
    names, count = row_names(words, unknown), max(num_rows // num_hashes, 1)
    if count > 2**16:
        raise InputError(
            f"{num_rows:,} rows for {num_hashes} hashes; there can be at most 65,536 for each."
        )
    codes = hash_names(names, count, num_hashes)

    def init(key):
        deviation = scale / num_hashes**0.5
        return {"codebooks": deviation * jax.random.normal(key, (num_hashes, count, dim))}

    return WordTable(
        words=words,
        dim=dim,
        embedding=Embedding(init, apply_codebooks, every=sum_codebooks),
        data=codes,
        gather=gather_codes,
        to_artefact=lambda params: Codes(codes, params["codebooks"], names),
    )


def hash_names(names: Sequence[str], count: int, num_hashes: int) -> np.ndarray:
    """Hashes names, the same on every machine: uint16 [V, H] below `count`, at most 65,536.

    >>> hash_names(["a", "b"], 100, 2).tolist()
    [[28, 59], [68, 84]]
    """
    found = np.empty((len(names), num_hashes), np.uint16)
    for row, name in enumerate(names):
        text = name.encode("utf-8", "surrogateescape")
        for number in range(num_hashes):
            digest = hashlib.blake2b(text, digest_size=8, salt=number.to_bytes(4, "little"))
            found[row, number] = int.from_bytes(digest.digest(), "little") % count
    return found
