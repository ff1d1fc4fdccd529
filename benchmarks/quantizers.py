"""What codes are measured against: FAISS's quantizers, principal components, integers.

FAISS's quantizers have their defaults: k-means of PQ, OPQ and RQ, for one, takes 256 rows a
centroid at most, unless `all_rows` lets it take all. Needs the extra `bench`.
"""

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import faiss
import numpy as np

from jaxcompress.codes import integers as small_integers
from jaxcompress.storage.bits import pack_codes

NUM_THREADS = 2
faiss.omp_set_num_threads(NUM_THREADS)


class Quantized(NamedTuple):
    """A table in fewer bytes.

    Attributes:
        decode: int ids [B] -> float32 [B, D].
        row_bytes: of a row.
        table_bytes: of what decodes them: codebooks, rotation, scales.
        seconds: to train, and to encode all rows.
        chosen: the size, if it was chosen and not given.
    """

    decode: Callable[[np.ndarray], np.ndarray]
    row_bytes: int
    table_bytes: int
    seconds: float
    chosen: str = ""


def timed(fit: Callable) -> Callable[..., Quantized]:
    """Lets a function that returns (decode, row_bytes, table_bytes) tell its seconds too."""

    @functools.wraps(fit)
    def run(*args, **kwargs):
        started = time.perf_counter()
        decode, row_bytes, table_bytes = fit(*args, **kwargs)
        return Quantized(decode, row_bytes, table_bytes, time.perf_counter() - started)

    return run


def take_all_rows(quantizer, all_rows):
    """Lets the k-means of a quantizer of FAISS train on all rows, if `all_rows`."""
    if all_rows:
        quantizer.cp.max_points_per_centroid = 2**30
        quantizer.cp.min_points_per_centroid = 1  # fewer are taken too, without a warning each


@timed
def product(table, num_codebooks, bits, *, all_rows=False):
    """FAISS ProductQuantizer. It wants parts of one width: where D is no multiple of their number,
    each part is as wide as the widest, with zeros that cost no error."""
    dim = table.shape[1]
    width = -(-dim // num_codebooks)
    parts = np.array_split(np.arange(dim), num_codebooks)
    places = np.concatenate([m * width + np.arange(len(part)) for m, part in enumerate(parts)])
    padded = np.zeros((len(table), num_codebooks * width), np.float32)
    padded[:, places] = table
    quantizer = faiss.ProductQuantizer(padded.shape[1], num_codebooks, bits)
    take_all_rows(quantizer, all_rows)
    quantizer.train(padded)
    codes = quantizer.compute_codes(padded)
    decode = lambda ids: quantizer.decode(codes[ids])[:, places]
    return decode, codes.shape[1], 4 * 2**bits * dim


@timed
def opq(table, num_codebooks, bits, *, same_shape, num_dims=None, all_rows=False):
    """FAISS OPQ. `same_shape` lets its rotation be trained for the quantizer that follows, where
    the index string "OPQM_D,PQMxBITS" trains it for one of 8 bits. The rotation goes to `num_dims`
    dimensions, filled up to a multiple of the codebooks; None: to as many as there are."""
    dim = table.shape[1]
    padded = -(-(num_dims or dim) // num_codebooks) * num_codebooks
    table_bytes = 4 * (2**bits * padded + dim * padded)
    if not same_shape:
        index = faiss.index_factory(dim, f"OPQ{num_codebooks}_{padded},PQ{num_codebooks}x{bits}")
        index.train(table)
        codes = index.sa_encode(table)
        return lambda ids: index.sa_decode(codes[ids]), codes.shape[1], table_bytes
    rotation = faiss.OPQMatrix(dim, num_codebooks, padded)
    inner = faiss.ProductQuantizer(padded, num_codebooks, bits)
    take_all_rows(inner, all_rows)
    rotation.pq = inner
    rotation.train(table)
    rotated = rotation.apply(table)
    quantizer = faiss.ProductQuantizer(padded, num_codebooks, bits)
    take_all_rows(quantizer, all_rows)
    quantizer.train(rotated)
    codes = quantizer.compute_codes(rotated)
    decode = lambda ids: rotation.reverse_transform(quantizer.decode(codes[ids]))
    return decode, codes.shape[1], table_bytes


@timed
def additive(table, kind, num_codebooks, bits, *, all_rows=False):
    """FAISS ResidualQuantizer (beam 5, its default) or LocalSearchQuantizer (its defaults)."""
    dim = table.shape[1]
    quantizer = getattr(faiss, kind)(dim, num_codebooks, bits)
    if kind == "ResidualQuantizer":
        take_all_rows(quantizer, all_rows)
    quantizer.train(table)
    codes = quantizer.compute_codes(table)
    decode = lambda ids: quantizer.decode(codes[ids])
    return decode, codes.shape[1], 4 * num_codebooks * 2**bits * dim


@timed
def product_additive(table, kind, num_splits, num_codebooks, bits, *, all_rows=False):
    """FAISS ProductResidualQuantizer or ProductLocalSearchQuantizer: so many codebooks for each
    slice of the dimensions, whose number divides them."""
    dim = table.shape[1]
    quantizer = getattr(faiss, kind)(dim, num_splits, num_codebooks, bits)
    if kind == "ProductResidualQuantizer":
        for i in range(num_splits):
            take_all_rows(faiss.downcast_AdditiveQuantizer(quantizer.subquantizer(i)), all_rows)
    quantizer.train(table)
    codes = quantizer.compute_codes(table)
    decode = lambda ids: quantizer.decode(codes[ids])
    return decode, codes.shape[1], 4 * num_codebooks * 2**bits * dim


@timed
def scalar(table, num_dims, bits):
    """FAISS ScalarQuantizer of 4, 6 or 8 bits, after PCA to fewer dimensions."""
    dim = table.shape[1]
    pca = faiss.PCAMatrix(dim, num_dims)
    pca.train(table)
    components = pca.apply(table)
    quantizer = faiss.ScalarQuantizer(num_dims, getattr(faiss.ScalarQuantizer, f"QT_{bits}bit"))
    quantizer.train(components)
    codes = quantizer.compute_codes(components)
    decode = lambda ids: pca.reverse_transform(quantizer.decode(codes[ids]))
    return decode, codes.shape[1], 4 * (num_dims * dim + num_dims + 2 * num_dims)


@timed
def integers(table, bits, group):
    """Integers in groups with a scale each (`jaxcompress.codes.integers`)."""
    decoded, num_bytes = small_integers.quantize(table, bits, group)
    return lambda ids: decoded[ids], num_bytes // len(table), 0


@timed
def scalar_pca(table, num_dims, bits):
    """The first principal components as integers of 8 or 4 bits, each with a step of its own:
    of 24 steps the one of least squared error."""
    num_dims = min(num_dims, table.shape[1])
    mean = table.mean(axis=0, dtype=np.float64)
    centred = (table - mean).astype(np.float32)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    components = vectors[:, ::-1][:, :num_dims]
    values = centred @ components
    half = 2 ** (bits - 1)
    encode = lambda step: np.clip(np.floor(values / step), -half, half - 1)
    steps = np.maximum(np.abs(values).max(axis=0), 1e-30) / half * np.geomspace(0.1, 1, 24)[:, None]
    errors = [((((encode(step) + 0.5) * step) - values) ** 2).sum(axis=0) for step in steps]
    step = steps[np.argmin(errors, axis=0), np.arange(num_dims)]
    codes = pack_codes((encode(step) + half).astype(np.uint8), 2**bits)
    scaled = (step * components).T.astype(np.float32)
    start = (mean + (0.5 - half) * scaled.sum(axis=0)).astype(np.float32)

    unpacked = (np.arange(256)[:, None] >> np.arange(0, 8, bits)) % 2**bits
    unpacked = unpacked.astype(np.float32)  # of each byte

    def decode(ids):
        return unpacked[codes[ids]].reshape(len(ids), -1)[:, :num_dims] @ scaled + start

    return decode, codes.shape[1], 4 * (scaled.size + start.size)


def additive_decoder(codes, codebooks) -> Callable[[np.ndarray], np.ndarray]:
    """FAISS's decoder of the same codes: packed bytes of the rows asked for -> rows."""
    num_codebooks, num_codewords, dim = codebooks.shape
    bits = (num_codewords - 1).bit_length()
    quantizer = faiss.ResidualQuantizer(dim, num_codebooks, bits)
    quantizer.is_trained = True
    faiss.copy_array_to_vector(codebooks.astype(np.float32).ravel(), quantizer.codebooks)
    packed = np.zeros((len(codes), quantizer.code_size), np.uint8)
    unpacked = np.ascontiguousarray(codes, np.int32)
    quantizer.pack_codes(
        len(codes), faiss.swig_ptr(unpacked), faiss.swig_ptr(packed), -1, None, None
    )
    return lambda ids: quantizer.decode(packed[ids])
