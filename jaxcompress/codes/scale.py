"""Units in which rows of any table are numbers near 1, so that squares neither overflow nor vanish.

Rows are multiplied by a power of two on their way in and codebooks by its inverse on their way out.
Both are exact. The power is a multiple of 16: tables of ordinary units are left as they are.

Axis letters: N rows, D dimensions.
"""

from collections.abc import Iterator

import numpy as np

_CHUNK = 8192  # rows that are float64 at a time
_SPACING = 16  # of exponents: rows then have norms from 2**-8 to 2**8 or so
_HEAVY_SHARE = 0.5  # of the squared norm, which a thousandth of the rows may hold without a note


def scale_exponent(rows: np.ndarray) -> int:
    """Finds e such that the median row of `rows * 2**-e` has a norm near 1; rows of 0 do not count.

    >>> scale_exponent(np.full((4, 2), 3.0)), scale_exponent(np.full((4, 2), 3e10))
    (0, 32)

    Args:
        rows: float [N, D].

    Returns:
        A multiple of 16; 0 if all rows are 0. The median is used since a few large rows cannot move
        it; but the largest row must not overflow either, and it decides if it would.
    """
    norms = np.concatenate([np.zeros(0), *_norms(rows)])
    norms = norms[norms > 0]
    if not len(norms):
        return 0
    exponent = _SPACING * round(float(np.log2(np.median(norms))) / _SPACING)
    least = _SPACING * int(np.ceil((np.log2(norms.max()) - 56) / _SPACING))
    return max(exponent, least)


def _norms(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK].astype(np.float64)
        yield np.sqrt(np.einsum("nd,nd->n", part, part))


def heavy_rows_note(rows: np.ndarray) -> str | None:
    """Says so if few rows hold most of the squared norm, for the errors are then mostly theirs.

    >>> heavy_rows_note(np.vstack([np.ones((2999, 2)), [[3e4, 4e4]]]))[:52]
    '1 of 3,000 rows holds 100.0 % of the squared norm, a'

    Args:
        rows: float [N, D].

    Returns:
        One line; None if no thousandth of the rows holds half of the squared norm.
    """
    squares = np.square(np.concatenate([np.zeros(0), *_norms(rows)]))
    most = max(1, len(squares) // 1000)
    if len(squares) < 100 or not squares.any():
        return None
    largest = np.sort(np.partition(squares, -most)[-most:])[::-1]
    shares = np.cumsum(largest) / squares.sum()
    if shares[-1] <= _HEAVY_SHARE:
        return None
    count = int(np.argmax(shares > _HEAVY_SHARE)) + 1
    verb = "holds" if count == 1 else "hold"
    share = 100 * shares[count - 1]
    return (
        f"{count:,} of {len(squares):,} rows {verb} {share:.1f} % of the squared norm, "
        "and so decides most of the loss and of relative_error; look at mean_l2, leave such rows "
        "out, or give them a small weight."
    )
