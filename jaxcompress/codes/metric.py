"""What a table is for: an error that counts some directions of the rows more than others.

If rows x are read by queries q alone, as products q @ x, then the error that counts is the mean of
(q @ (x - x~))^2 = (x - x~)^T H (x - x~), where H is the second moment of the queries. With a root
of H, H = R R^T, it is the plain error of the rows x R; so these are compressed, and codebooks are
multiplied by the inverse of R. Rows of a classifier have the hidden states for queries: LQER
(Zhang et al., ICML 2024) and GPTQ (Frantar et al., ICLR 2023) weigh their errors so.

Axis letters: N rows, Q queries, D dimensions, M codebooks, K codewords.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxcompress.data.vectors.arrays import take_numbers
from jaxcompress.errors import InputError

_RIDGE = 1e-2  # times the mean of H's diagonal: directions without queries count a little too


class Metric(NamedTuple):
    """A root of H and its inverse, float64 [D, D] each; H is scaled to a mean diagonal of 1."""

    root: np.ndarray
    inverse: np.ndarray

    def of_rows(self, rows: np.ndarray) -> np.ndarray:
        """Gives rows, or codebooks, whose plain error is that of the metric: [..., D] float32."""
        return (rows @ self.root.astype(np.float32)).astype(np.float32)

    def to_rows(self, codebooks: np.ndarray) -> np.ndarray:
        """Undoes `of_rows`."""
        return (codebooks.astype(np.float64) @ self.inverse).astype(np.float32)


def make_metric(metric: Any, dim: int) -> Metric:
    """Takes H, or queries whose second moment it is.

    >>> make_metric(np.array([[1.0, 0.0], [0.0, 4.0]]), 2).root.round(2).tolist()
    [[0.64, 0.0], [0.0, 1.26]]

    Args:
        metric: float [D, D], symmetric and without negative eigenvalues; or queries [Q, D].
        dim: D.

    Raises:
        InputError: if it is neither.
    """
    given = take_numbers(metric, "metric").astype(np.float64)
    if given.ndim != 2 or given.shape[1] != dim or not given.size:
        raise InputError(
            f"metric is {list(given.shape)}; expected [{dim}, {dim}], or queries [Q, {dim}]."
        )
    if not np.isfinite(given).all():
        raise InputError("metric holds NaN or infinity; expected finite numbers.")
    largest = np.abs(given).max()
    if not largest:
        raise InputError("metric is all zeros; expected queries or their second moment.")
    given = given / largest
    is_square = given.shape == (dim, dim) and np.allclose(given, given.T, atol=1e-6)
    moment = (given + given.T) / 2 if is_square else given.T @ given / len(given)
    values, axes = np.linalg.eigh(moment)
    if values[0] < -1e-6 * values[-1]:
        raise InputError(
            f"metric has a negative eigenvalue, {values[0] / values[-1]:.2g} of the largest; "
            "expected a second moment of queries, which has none."
        )
    values = np.maximum(values, 0.0)
    values = (values + _RIDGE * values.mean()) / ((1 + _RIDGE) * values.mean())
    root = np.sqrt(values)
    return Metric(axes * root @ axes.T, axes / root @ axes.T)
