"""DCCL in PyTorch, which the benchmarks measure training against.

It is written from the paper's equations, for CPU. Needs the extra `bench`.
"""

from collections.abc import Callable

import torch
from quantizers import NUM_THREADS

torch.set_num_threads(NUM_THREADS)


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
