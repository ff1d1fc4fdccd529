"""What `model.revive` gives: errors with and without it, on a table of clusters and on vectors.

Command:  python benchmarks/revival.py [--vectors FILE] [--seeds 0,1]

Each run trains for 1,000 steps on 6,400 rows and then refines for 10 rounds.
"""

import data
import numpy as np

from jaxcompress import dccl
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.refine import refine_codes
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.prepare import prepare
from jaxcompress.engine.loop import fit

SIZES = ((16, 16), (8, 64), (4, 256))
_ROWS = 6400


def sorted_clusters():
    """64 clusters of 100 rows each, one after another: float32 [6400, 32]."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(64, 32)).astype(np.float32)
    noise = rng.normal(size=(_ROWS, 32)).astype(np.float32)
    return np.repeat(centers, 100, axis=0) + 0.1 * noise


def measure(rows, size, seed, revive):
    """Gives the mean squared error before and after refinement, and the dead codewords before."""
    config = dccl.Config(
        seed=seed,
        num_steps=1000,
        model=dccl.ModelConfig(num_codebooks=size[0], num_codewords=size[1], revive=revive),
        data=dccl.DataConfig(valid_rows=0),
    )
    problem = prepare(rows, config)
    fitted = fit(problem.job, show_progress=False)
    trained = to_codes(problem, fitted.state, None)
    refine = dccl.RefineConfig(num_rounds=10)
    refined = refine_codes(problem.table, trained, refine, seed=seed).codes
    before, after = (code_errors(problem.table, codes)["all"] for codes in (trained, refined))
    return before["mean_squared_l2"], after["mean_squared_l2"], int(before["dead_codewords"])


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1")
    flags = parser.parse_args()
    tables = {"clusters": sorted_clusters(), flags.vectors: data.read(flags.vectors)[:_ROWS]}
    print("mean squared L2 before and after refinement, dead codewords")
    for name, rows in tables.items():
        for size in SIZES:
            for seed in map(int, flags.seeds.split(",")):
                for revive in (True, False):
                    before, after, dead = measure(rows, size, seed, revive)
                    label = f"{name}, {size[0]} x {size[1]}, seed {seed}, revive={revive}"
                    print(f"{label:64}{before:9.4f}{after:9.4f}{dead:6}", flush=True)


if __name__ == "__main__":
    main()
