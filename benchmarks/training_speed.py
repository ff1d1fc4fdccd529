"""Training rows/s of 32 x 16 codes, ours and PyTorch's in turn: same shape, same optimiser.

Command:  python benchmarks/training_speed.py

The paper's model (hidden size M*K/2, temperature 1) and Adam; compilation is left out on our
side. Each pair of lines is one round; the last lines are medians.
"""

import time

import data
import jax
import numpy as np
import peers

from jaxcompress import dccl
from jaxcompress.dccl.prepare import prepare
from jaxcompress.engine.loop import init_state, stack

NUM_CODEBOOKS, NUM_CODEWORDS = 32, 16
HIDDEN = NUM_CODEBOOKS * NUM_CODEWORDS // 2


def our_trainer(table, batch_size):
    """Returns a function that takes about so many steps, and says how many it took."""
    config = dccl.Config(
        batch_size=batch_size,
        num_steps=1_000_000,
        steps_per_dispatch=20,
        data=dccl.DataConfig(valid_rows=0),
        model=dccl.ModelConfig(hidden_size=HIDDEN, final_temperature=None, normalize=False),
        optimizer=dccl.OptimizerConfig(learning_rate=1e-3, schedule="constant"),
    )
    job = prepare(table, config).job
    engine, feed = job.engine, job.feed
    state = engine.place_state(init_state(job))
    step, key = 0, jax.random.key(0)

    def take(num_steps):
        nonlocal state, step
        end = step + num_steps
        while step < end:
            index = stack([feed.index(s) for s in range(step, step + config.steps_per_dispatch)])
            state, metrics = engine.train(state, job.data, index, key)
            step += config.steps_per_dispatch
        jax.block_until_ready(metrics)

    return take


def their_trainer(table, batch_size):
    scale = float(table.std()) / NUM_CODEBOOKS**0.5
    model = peers.TorchCodeLearner(table.shape[1], NUM_CODEBOOKS, NUM_CODEWORDS, HIDDEN, scale)
    return peers.torch_trainer(table, batch_size, model, 1e-3)


def rows_per_second(take, batch_size, rows):
    num_steps = max(20, rows // batch_size // 20 * 20)
    started = time.perf_counter()
    take(num_steps)
    return num_steps * batch_size / (time.perf_counter() - started)


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--batch_sizes", default="64,256,512,1024,2048")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=40_000, help="rows of one measurement")
    flags = parser.parse_args()
    table = data.read(flags.vectors)
    best = {}
    for batch_size in map(int, flags.batch_sizes.split(",")):
        ours, theirs = our_trainer(table, batch_size), their_trainer(table, batch_size)
        ours(20), theirs(20)
        speeds = [
            (rows_per_second(ours, batch_size, flags.rows),
             rows_per_second(theirs, batch_size, flags.rows))
            for _ in range(flags.rounds)
        ]  # fmt: skip
        our, their = np.median(speeds, axis=0)
        ratio = np.median([a / b for a, b in speeds])
        best[batch_size] = (our, their)
        print(f"batch {batch_size:5d}: ours {our:8,.0f} rows/s, PyTorch {their:8,.0f} rows/s, "
              f"median of ratios {ratio:.2f}", flush=True)  # fmt: skip
    our, their = np.max(list(best.values()), axis=0)
    print(f"each at its best batch: ours {our:,.0f}, PyTorch {their:,.0f}, ratio {our / their:.2f}")


if __name__ == "__main__":
    main()
