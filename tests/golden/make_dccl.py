"""Makes dccl.npz: the paper's equations in PyTorch, for `tests/dccl/test_dccl.py`.

Command:  pip install torch && python tests/golden/make_dccl.py

Weights, rows and Gumbel noise are random; loss, gradients and one update (gradient norm clipped,
then Adam) are PyTorch's, in float64, of arXiv 1711.01068, eqs. 5-10, with the noise added to
log alpha as the paper writes it.
"""

from pathlib import Path

import numpy as np
import torch

B, D, M, K, H = 8, 5, 3, 4, 6
LEARNING_RATE, CLIP = 1e-2, 0.1


def main() -> None:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rows = normal(B, D)
    gumbel = -torch.log(-torch.log(torch.rand(B, M, K, generator=generator, dtype=torch.float64)))
    weights = {
        "hidden_kernel": normal(D, H),
        "hidden_bias": normal(H),
        "scores_kernel": normal(H, M * K),
        "scores_bias": normal(M * K),
        "codebooks": normal(M, K, D),
    }
    arrays = {"rows": rows, "gumbel": gumbel, **weights}
    for temperature in (1.0, 0.7):
        leaves = {name: w.clone().requires_grad_() for name, w in weights.items()}
        hidden = torch.tanh(rows @ leaves["hidden_kernel"] + leaves["hidden_bias"])  # eq. 6
        scores = hidden @ leaves["scores_kernel"] + leaves["scores_bias"]
        alpha = torch.log(1 + torch.exp(scores)).view(B, M, K)  # eq. 7
        draws = torch.softmax((torch.log(alpha) + gumbel) / temperature, dim=-1)  # eq. 9
        output = torch.einsum("bmk,mkd->bd", draws, leaves["codebooks"])  # eq. 10
        loss = (0.5 * (output - rows) ** 2).sum(dim=1).mean()  # eq. 5
        loss.backward()
        tag = f"_{temperature}"
        arrays["loss" + tag] = loss
        arrays.update({f"gradient_{name}{tag}": w.grad.clone() for name, w in leaves.items()})
        torch.nn.utils.clip_grad_norm_(list(leaves.values()), CLIP, foreach=False)
        torch.optim.Adam(list(leaves.values()), lr=LEARNING_RATE).step()
        arrays.update({f"updated_{name}{tag}": w for name, w in leaves.items()})
    numpy_arrays = {name: value.detach().numpy() for name, value in arrays.items()}
    np.savez(Path(__file__).with_name("dccl.npz"), **numpy_arrays)


if __name__ == "__main__":
    main()
