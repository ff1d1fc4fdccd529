"""The paper's training, ours against a PyTorch run of the same equations, after the same steps.

Command:  python benchmarks/paper_parity.py [--vectors FILE]
"""

import data
import numpy as np
import peers
import torch

from jaxcompress import dccl
from jaxcompress.codes.measure import code_errors
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.prepare import prepare
from jaxcompress.engine.loop import fit


def ours(table, num_steps, seed):
    config = data.config("glove_paper")
    config.num_steps, config.seed, config.eval_every = num_steps, seed, num_steps
    config.data = dccl.DataConfig(valid_rows=0)
    problem = prepare(table, config)
    fitted = fit(problem.job, show_progress=False)
    codes = to_codes(problem, fitted.state, None)
    return code_errors(problem.table, codes)["all"]["mean_squared_l2"]


def theirs(table, num_steps, seed):
    torch.manual_seed(seed)
    config = data.config("glove_paper")
    spread = float(np.sqrt(((table - table.mean(axis=0)) ** 2).mean()))
    model = peers.TorchCodeLearner(
        table.shape[1],
        config.model.num_codebooks,
        config.model.num_codewords,
        config.model.hidden_size,
        spread / config.model.num_codebooks**0.5,
    )
    take = peers.torch_trainer(
        table,
        config.batch_size,
        model,
        config.optimizer.learning_rate,
        config.optimizer.clip_norm,
    )
    take(num_steps)
    return model.hard_mean_squared_l2(table)


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--num_steps", type=int, default=5_000)
    parser.add_argument("--seeds", type=int, default=2)
    flags = parser.parse_args()
    table = data.read(flags.vectors)
    errors = [
        (ours(table, flags.num_steps, seed), theirs(table, flags.num_steps, seed))
        for seed in range(flags.seeds)
    ]
    for seed, (our, their) in enumerate(errors):
        print(f"seed {seed}: ours {our:.4f}, PyTorch {their:.4f}, ratio {our / their:.4f}")
    our, their = np.mean(errors, axis=0)
    print(f"mean:   ours {our:.4f}, PyTorch {their:.4f}, ratio {our / their:.4f}")


if __name__ == "__main__":
    main()
