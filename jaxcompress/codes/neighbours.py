"""Products of all rows of a table of codes with a query, and how exact they are. NumPy only.

The product of a row with a query is a sum of M numbers out of a table [M, K] of products of the
query with codewords (Jegou, Douze & Schmid 2011, section III.A). Where codewords cancel, such a sum
differs from the product with the row as it is decoded, in float32.

Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import numpy as np

_EPS = float(np.finfo(np.float32).eps)


def sum_products(codes: np.ndarray, codebooks: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Multiplies all rows: codes int [N, M], codebooks [M, K, D], query float64 [D] -> [N]."""
    return _sum_entries(np.einsum("mkd,d->mk", codebooks, query, dtype=np.float64), codes)


def bound_errors(codes: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Bounds how far `sum_products` are from those of the decoded rows: float64 [N].

    They are for a query of length 1; codes int [N, M], codebooks float32 [M, K, D].
    """
    lengths = np.sqrt(np.einsum("mkd,mkd->mk", codebooks, codebooks, dtype=np.float64))
    # Each of M additions in float32 is off by half an _EPS of what has been added up, at most.
    return _EPS * len(codebooks) * _sum_entries(lengths, codes)


def _sum_entries(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sums an entry for each code: table float64 [M, K], codes int [N, M] -> [N]."""
    sums = np.zeros(len(codes))
    for m in range(len(table)):
        sums += np.take(table[m], codes[:, m])
    return sums
