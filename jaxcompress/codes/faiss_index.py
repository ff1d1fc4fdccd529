"""Codes as an index of FAISS, which then searches and decodes them without this library.

FAISS packs codes as the artefact does, low bit first, so the bytes of a row are the same in both.

Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

from typing import Any

import numpy as np

from jaxcompress.errors import InputError, not_installed
from jaxcompress.storage.bits import code_bits, pack_codes


def residual_index(codes: np.ndarray, codebooks: np.ndarray, metric: str = "l2") -> Any:
    """Makes a `faiss.IndexResidualQuantizer` of codes and codebooks; see `Codes.to_faiss`.

    Args:
        codes: int [N, M], each in [0, K).
        codebooks: float32 [M, K, D].
        metric: "l2" (squared distances) or "inner_product".

    Raises:
        InputError: if the metric is another one, or FAISS cannot be imported.
    """
    if metric not in ("l2", "inner_product"):
        raise InputError(f'metric is {metric!r}; it must be "l2" or "inner_product".')
    try:
        import faiss
    except ImportError as error:
        raise not_installed("an index", "faiss", error) from None
    num_codebooks, num_codewords, dim = codebooks.shape
    bits = max(code_bits(num_codewords), 1)
    kind = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    decompress = faiss.AdditiveQuantizer.ST_decompress
    index = faiss.IndexResidualQuantizer(dim, num_codebooks, bits, kind, decompress)
    padded = np.pad(codebooks, ((0, 0), (0, 2**bits - num_codewords), (0, 0)))
    faiss.copy_array_to_vector(padded.reshape(-1), index.rq.codebooks)
    # Products of all pairs of codewords serve another kind of search. For large codebooks they
    # would be gigabytes, computed again whenever the index is read from a file.
    index.rq.train_type |= faiss.ResidualQuantizer.Skip_codebook_tables
    faiss.copy_array_to_vector(pack_codes(codes, 2**bits).reshape(-1), index.codes)
    index.rq.is_trained = index.is_trained = True
    index.ntotal = len(codes)
    return index
