"""Similar rows of a table of codes, without decoding the table. NumPy only.

The product of a row with a query is a sum of M numbers out of a table [M, K] of products of the
query with codewords (Jegou, Douze & Schmid 2011, section III.A); the squared norm of a row is a sum
of M^2 products of codewords.

Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import numpy as np

_LEAST_NORM = 1e-30  # so that a row of zeros is divided by something


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Scales rows to length 1: float [..., D] -> the same shape and type.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))  # a row of zeros stays as it is
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), _LEAST_NORM)


def row_norms(codes: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Computes the length of every row from N*M^2/2 products of codewords, and no [N, D].

    Args:
        codes: int [N, M].
        codebooks: float32 [M, K, D].

    Returns:
        float64 [N].
    """
    num_codebooks, num_codewords, _ = codebooks.shape
    products = np.einsum("mkd,nld->mnkl", codebooks, codebooks)
    squares = np.zeros(len(codes))
    for m in range(num_codebooks):
        first = codes[:, m].astype(np.int64) * num_codewords
        squares += products[m, m].diagonal()[codes[:, m]]
        for n in range(m):
            squares += 2 * np.take(products[m, n].reshape(-1), first + codes[:, n])
    return np.sqrt(np.maximum(squares, 0.0))


def cosines(
    query: np.ndarray, codes: np.ndarray, codebooks: np.ndarray, norms: np.ndarray
) -> np.ndarray:
    """Computes the cosine of a query with every row.

    Args:
        query: float [D].
        codes: int [N, M].
        codebooks: float32 [M, K, D].
        norms: [N], as `row_norms` gives them.

    Returns:
        float32 [N].
    """
    products = codebooks @ unit_rows(np.asarray(query, np.float32))
    sums = np.zeros(len(codes), np.float32)
    for m in range(len(codebooks)):
        sums += products[m, codes[:, m]]
    sums /= np.maximum(norms, _LEAST_NORM)
    return sums
