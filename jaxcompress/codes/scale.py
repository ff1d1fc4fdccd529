"""Units in which rows of any table are numbers near 1, so that squares neither overflow nor vanish.

Rows are multiplied by a power of two on their way in and codebooks by its inverse on their way out.
Both are exact. The power is a multiple of 16: tables of ordinary units are left as they are.

Axis letters: N rows, D dimensions.
"""

from collections.abc import Iterator

import numpy as np

from jaxcompress.errors import InputError

_CHUNK = 8192  # rows that are float64 at a time
_SPACING = 16  # of exponents: rows then have norms from 2**-8 to 2**8 or so
_MOST = 112  # of an exponent's size: a factor 2**-128 would be flushed to 0, 2**128 is infinite
_SHORTEST = 2.0**-116  # numbers below 2**-126 lose digits, and devices take them for 0
_SAMPLE = 1024  # rows of a shard whose lengths are looked at
_HEAVY = 10  # times the median length, from which on a row is heavy
_FEW = 20  # rows of a table too small to say which are unusual


def scale_exponent(rows: np.ndarray) -> int:
    """Finds e such that the median row of `rows * 2**-e` has a norm near 1; rows of 0 do not count.

    >>> scale_exponent(np.full((4, 2), 3.0)), scale_exponent(np.full((4, 2), 3e10))
    (0, 32)

    Args:
        rows: float [N, D].

    Returns:
        A multiple of 16, from -112 to 112; 0 if all rows are 0. The median is used since a few
        large rows cannot move it; but the largest row must not overflow either, and it decides if
        it would.

    Raises:
        InputError: if the rows are so short that devices take many of their numbers for 0.
    """
    return exponent_of(np.concatenate([np.zeros(0), *_norms(rows)]))


def exponent_of(norms: np.ndarray) -> int:
    """Finds what `scale_exponent` does by lengths of rows: of all, or of many and the longest.

    Raises:
        InputError: as `scale_exponent` does.
    """
    norms = norms[norms > 0]
    if not len(norms):
        return 0
    if (median := np.median(norms)) < _SHORTEST:
        raise InputError(
            f"the median length of the rows is {median:.2g}, where float32 holds few digits; "
            "multiply the table by a power of two, 2**100 for example."
        )
    exponent = _SPACING * round(float(np.log2(median)) / _SPACING)
    least = _SPACING * int(np.ceil((np.log2(norms.max()) - 56) / _SPACING))
    return min(max(exponent, least, -_MOST), _MOST)


def some_norms(rows: np.ndarray) -> np.ndarray:
    """Measures the lengths of some rows, and that of the longest of all: float64 [SAMPLE + 1].

    They are rows at equal distances, which in a table of fewer come more than once.
    """
    longest = max(float(norms.max()) for norms in _norms(rows))
    spread = np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.int64)
    return np.append(np.concatenate([*_norms(rows[spread])]), longest)


def _norms(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK].astype(np.float64)
        yield np.sqrt(np.einsum("nd,nd->n", part, part))


def heavy_rows_note(rows: np.ndarray) -> str | None:
    """Says so if few rows hold most of the squared norm, for the errors are then mostly theirs.

    >>> heavy_rows_note(np.vstack([np.ones((2999, 2)), [[3e4, 4e4]]]))[:71]
    '1 of 3,000 rows has over 10 times the median length and holds 100.0 % o'

    Args:
        rows: float [N, D].

    Returns:
        One line; None unless at most a hundredth of the rows, or a single one, are over 10 times
        as long as the median row, and hold over half of the squared norm.
    """
    norms = np.concatenate([np.zeros(0), *_norms(rows)])
    return note_of_heavy(len(rows), heavy_sums(rows, np.median(norms)))


def heavy_sums(rows: np.ndarray, median: float) -> np.ndarray:
    """Counts the heavy rows, and sums the squared norms of these and of all rows: float64 [3]."""
    sums = np.zeros(3)
    for norms in _norms(rows):
        heavy = norms > _HEAVY * median
        squares = np.square(norms)
        sums += heavy.sum(), squares[heavy].sum(), squares.sum()
    return sums


def note_of_heavy(num_rows: int, sums: np.ndarray) -> str | None:
    """Says what `heavy_rows_note` says, by `heavy_sums` of all N rows."""
    count = int(sums[0])
    if not 0 < count <= max(1, num_rows // 100) or num_rows < _FEW:
        return None
    share = sums[1] / sums[2]
    if share <= 0.5:
        return None
    has, holds, decides = ("has", "holds", "decides") if count == 1 else ("have", "hold", "decide")
    return (
        f"{count:,} of {num_rows:,} rows {has} over {_HEAVY} times the median length and {holds} "
        f"{100 * share:.1f} % of the squared norm, and so {decides} most of the loss and of "
        "relative_error; look at mean_l2, leave such rows out, or give them a small weight."
    )
