"""What noise between the rounds of refinement gives: errors with and without it, from equal codes.

Command:  python benchmarks/noise.py [--vectors FILE] [--max_rows N] [--size 32x16] [--rounds 40,80]
"""

import data

from jaxcompress import dccl
from jaxcompress.codes import refine
from jaxcompress.codes.measure import code_errors
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.prepare import prepare
from jaxcompress.engine.loop import fit


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--max_rows", type=int, help="default: all")
    parser.add_argument("--size", default="32x16")
    parser.add_argument("--rounds", default="40")
    parser.add_argument("--seeds", default="0")
    flags = parser.parse_args()
    rows = data.read(flags.vectors)[: flags.max_rows]
    num_codebooks, num_codewords = map(int, flags.size.split("x"))
    amounts = {"without": lambda number, num_rounds: 0.0, "with": refine.noise_amount}
    print(f"{flags.vectors}, {len(rows):,} rows, {flags.size}: mean squared L2")
    for seed in map(int, flags.seeds.split(",")):
        config = dccl.Config(
            seed=seed,
            model=dccl.ModelConfig(num_codebooks=num_codebooks, num_codewords=num_codewords),
            data=dccl.DataConfig(valid_rows=0),
        )
        problem = prepare(rows, config)
        trained = to_codes(problem, fit(problem.job, show_progress=False).state, None)
        for num_rounds in map(int, flags.rounds.split(",")):
            rounds = dccl.RefineConfig(num_rounds=num_rounds)
            for name, amount in amounts.items():
                refine.noise_amount = amount
                codes = refine.refine_codes(problem.table, trained, rounds, seed=seed).codes
                error = code_errors(problem.table, codes)["all"]["mean_squared_l2"]
                label = f"seed {seed}, {num_rounds} rounds, {name} noise"
                print(f"{label:40}{error:9.4f}", flush=True)


if __name__ == "__main__":
    main()
