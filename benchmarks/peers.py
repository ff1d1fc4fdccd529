"""The peers that the benchmarks measure against: DCCL in PyTorch, FAISS quantizers, and PCA.

DCCL is written from the paper's equations, for CPU. FAISS's quantizers have their defaults: k-means
of PQ and OPQ, for one, takes 256 rows a centroid at most. Needs the extra `bench`.
"""

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import faiss
import numpy as np
import torch

from jaxcompress.storage.bits import pack_codes

NUM_THREADS = 2
torch.set_num_threads(NUM_THREADS)
faiss.omp_set_num_threads(NUM_THREADS)


class TorchCodeLearner(torch.nn.Module):
    """The paper's autoencoder (eqs. 6-10)."""

    def __init__(self, dim, num_codebooks, num_codewords, hidden_size, codebook_scale):
        super().__init__()
        self.shape = (num_codebooks, num_codewords)
        width = num_codebooks * num_codewords
        self.hidden = torch.nn.Linear(dim, hidden_size)
        self.scores = torch.nn.Linear(hidden_size, width)
        self.codebook = torch.nn.Parameter(codebook_scale * torch.randn(width, dim))
        for layer in (self.hidden, self.scores):  # as Flax initialises a Dense layer
            std = layer.weight.shape[1] ** -0.5
            torch.nn.init.trunc_normal_(layer.weight, 0.0, std / 0.87962566, -2 * std, 2 * std)
            torch.nn.init.zeros_(layer.bias)

    def alpha(self, rows):
        hidden = torch.tanh(self.hidden(rows))
        alpha = torch.nn.functional.softplus(self.scores(hidden))
        return alpha.view(-1, *self.shape) + 1e-30

    def forward(self, rows):
        alpha = self.alpha(rows)
        gumbel = -torch.log(torch.empty_like(alpha).exponential_())
        draws = torch.softmax(torch.log(alpha) + gumbel, dim=-1)
        return draws.view(len(rows), -1) @ self.codebook

    @torch.no_grad()
    def hard_mean_squared_l2(self, table):
        total = 0.0
        for rows in torch.from_numpy(table).split(4096):
            one_hot = torch.nn.functional.one_hot(self.alpha(rows).argmax(-1), self.shape[1])
            decoded = one_hot.view(len(rows), -1).float() @ self.codebook
            total += float(((decoded - rows) ** 2).sum())
        return total / len(table)


def torch_trainer(table, batch_size, model, learning_rate, clip_norm=None) -> Callable[[int], None]:
    """Returns a function that takes so many Adam steps over shuffled rows in memory."""
    rows = torch.from_numpy(table)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    order, position = torch.randperm(len(rows)), 0

    def take(num_steps: int) -> None:
        nonlocal order, position
        for _ in range(num_steps):
            if position + batch_size > len(rows):
                order, position = torch.randperm(len(rows)), 0
            batch = rows[order[position : position + batch_size]]
            position += batch_size
            loss = 0.5 * ((model(batch) - batch) ** 2).sum(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            if clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            optimizer.step()

    return take


class Quantized(NamedTuple):
    """A table in fewer bytes.

    Attributes:
        decode: int ids [B] -> float32 [B, D].
        row_bytes: of a row.
        table_bytes: of what decodes them: codebooks, rotation, scales.
        seconds: to train, and to encode all rows.
    """

    decode: Callable[[np.ndarray], np.ndarray]
    row_bytes: int
    table_bytes: int
    seconds: float


def timed(fit: Callable) -> Callable[..., Quantized]:
    """Lets a function that returns (decode, row_bytes, table_bytes) tell its seconds too."""

    @functools.wraps(fit)
    def run(*args, **kwargs):
        started = time.perf_counter()
        decode, row_bytes, table_bytes = fit(*args, **kwargs)
        return Quantized(decode, row_bytes, table_bytes, time.perf_counter() - started)

    return run


@timed
def product(table, num_codebooks, bits):
    """FAISS ProductQuantizer. It wants parts of one width: where D is no multiple of their number,
    each part is as wide as the widest, with zeros that cost no error."""
    dim = table.shape[1]
    width = -(-dim // num_codebooks)
    parts = np.array_split(np.arange(dim), num_codebooks)
    places = np.concatenate([m * width + np.arange(len(part)) for m, part in enumerate(parts)])
    padded = np.zeros((len(table), num_codebooks * width), np.float32)
    padded[:, places] = table
    quantizer = faiss.ProductQuantizer(padded.shape[1], num_codebooks, bits)
    quantizer.train(padded)
    codes = quantizer.compute_codes(padded)
    decode = lambda ids: quantizer.decode(codes[ids])[:, places]
    return decode, codes.shape[1], 4 * 2**bits * dim


@timed
def opq(table, num_codebooks, bits, *, same_shape):
    """FAISS OPQ. `same_shape` lets its rotation be trained for the quantizer that follows, where
    the index string "OPQM_D,PQMxBITS" trains it for one of 8 bits."""
    dim = table.shape[1]
    padded = -(-dim // num_codebooks) * num_codebooks
    table_bytes = 4 * (2**bits * padded + dim * padded)
    if not same_shape:
        index = faiss.index_factory(dim, f"OPQ{num_codebooks}_{padded},PQ{num_codebooks}x{bits}")
        index.train(table)
        codes = index.sa_encode(table)
        return lambda ids: index.sa_decode(codes[ids]), codes.shape[1], table_bytes
    rotation = faiss.OPQMatrix(dim, num_codebooks, padded)
    inner = faiss.ProductQuantizer(padded, num_codebooks, bits)
    rotation.pq = inner
    rotation.train(table)
    rotated = rotation.apply(table)
    quantizer = faiss.ProductQuantizer(padded, num_codebooks, bits)
    quantizer.train(rotated)
    codes = quantizer.compute_codes(rotated)
    decode = lambda ids: rotation.reverse_transform(quantizer.decode(codes[ids]))
    return decode, codes.shape[1], table_bytes


@timed
def additive(table, kind, num_codebooks, bits):
    """FAISS ResidualQuantizer (beam 5, its default) or LocalSearchQuantizer (its defaults)."""
    dim = table.shape[1]
    quantizer = getattr(faiss, kind)(dim, num_codebooks, bits)
    quantizer.train(table)
    codes = quantizer.compute_codes(table)
    decode = lambda ids: quantizer.decode(codes[ids])
    return decode, codes.shape[1], 4 * num_codebooks * 2**bits * dim


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
