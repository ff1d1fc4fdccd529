"""The peers that the benchmarks measure against: DCCL in PyTorch, and FAISS quantizers.

Written from the paper's equations, for CPU. Needs the extra `bench`.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import faiss
import numpy as np
import torch

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
    """What a FAISS quantizer gives: its mean squared L2 over all rows, seconds of train + encode,
    bytes of a row's codes and of what decodes them."""

    mean_squared_l2: float
    seconds: float
    row_bytes: int
    table_bytes: int


def _measured(table, name, fit) -> Quantized:
    started = time.perf_counter()
    decoded, row_bytes, table_bytes = fit()
    seconds = time.perf_counter() - started
    return Quantized(float(((decoded - table) ** 2).sum(1).mean()), seconds, row_bytes, table_bytes)


def opq(table, num_codebooks, bits, *, same_shape: bool) -> Quantized:
    """FAISS OPQ. `same_shape` lets its rotation be trained for the quantizer that follows, where
    the index string "OPQM_D,PQMxBITS" trains it for one of 8 bits."""
    dim = table.shape[1]
    padded = -(-dim // num_codebooks) * num_codebooks

    def fit():
        if not same_shape:
            index = faiss.index_factory(
                dim, f"OPQ{num_codebooks}_{padded},PQ{num_codebooks}x{bits}"
            )
            index.train(table)
            decoded = index.sa_decode(index.sa_encode(table))
        else:
            rotation = faiss.OPQMatrix(dim, num_codebooks, padded)
            inner = faiss.ProductQuantizer(padded, num_codebooks, bits)
            rotation.pq = inner
            rotation.train(table)
            rotated = rotation.apply(table)
            quantizer = faiss.ProductQuantizer(padded, num_codebooks, bits)
            quantizer.train(rotated)
            codes = quantizer.compute_codes(rotated)
            decoded = rotation.reverse_transform(quantizer.decode(codes))
        size = 4 * (2**bits * padded + dim * padded)
        return decoded, num_codebooks * bits // 8, size

    return _measured(table, "OPQ", fit)


def additive(table, kind, num_codebooks, bits) -> Quantized:
    """FAISS ResidualQuantizer (beam 5, its default) or LocalSearchQuantizer (its defaults)."""
    dim = table.shape[1]
    quantizer = getattr(faiss, kind)(dim, num_codebooks, bits)

    def fit():
        quantizer.train(table)
        codes = quantizer.compute_codes(table)
        return quantizer.decode(codes), codes.shape[1], 4 * num_codebooks * 2**bits * dim

    return _measured(table, kind, fit)


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
