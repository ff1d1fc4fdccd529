import numpy as np
from small_tables import CODES, ROWS

from jaxcompress.tables import whitening
from jaxcompress.tables.whitening import (
    fit_whitening,
    unwhiten_codebooks,
    whiten_codebooks,
    whiten_rows,
)


def decode(codebooks):
    return sum(codebooks[m, CODES.codes[:, m]] for m in range(2))


def test_sums_of_whitened_codebooks_are_the_whitened_sums():
    fitted = fit_whitening(CODES)
    whitened = whiten_codebooks(CODES.codebooks, fitted)
    np.testing.assert_allclose(
        decode(whitened), (CODES.decode() - fitted.mean) @ fitted.matrix, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        unwhiten_codebooks(whitened, fitted), CODES.codebooks, rtol=1e-5, atol=1e-5
    )


def test_a_variance_becomes_itself_over_itself_and_a_tenth_of_the_mean():
    fitted = fit_whitening(ROWS)
    centred = ROWS - ROWS.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False)[::-1] ** 2 / len(ROWS)
    np.testing.assert_allclose(
        whiten_rows(ROWS, fitted).var(axis=0),
        variances / (variances + 0.1 * variances.mean()),
        rtol=1e-4,
    )
    np.testing.assert_allclose(fitted.matrix @ fitted.inverse, np.eye(5), rtol=0, atol=1e-5)


def test_rows_are_whitened_alike_in_chunks(monkeypatch):
    fitted = fit_whitening(ROWS)
    whole = whiten_rows(ROWS, fitted)
    monkeypatch.setattr(whitening, "_CHUNK", 4)
    np.testing.assert_allclose(whiten_rows(ROWS, fitted), whole, rtol=1e-5, atol=1e-6)


def test_the_axes_of_a_large_table_are_those_of_evenly_spaced_rows(monkeypatch):
    monkeypatch.setattr(whitening, "_SAMPLE", 3)
    np.testing.assert_array_equal(fit_whitening(ROWS).mean, ROWS[::2].mean(axis=0))
