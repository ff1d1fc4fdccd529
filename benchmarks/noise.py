"""What noise between the rounds of refinement gives: errors with and without it, from equal codes.

Command:  python benchmarks/noise.py [--vectors FILE] [--max_rows N] [--size 32x16]
          [--rounds 40,80] [--steps 96,48]
"""

import itertools
import time

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
    parser.add_argument("--rounds", default="40", help="of refinement")
    parser.add_argument("--steps", default="0", help="of search in a round; 0: the default")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--with_noise", action="store_true", help="leave out refinement without")
    flags = parser.parse_args()
    rows = data.read(flags.vectors)[: flags.max_rows]
    num_codebooks, num_codewords = map(int, flags.size.split("x"))
    amounts = {"without": lambda number, num_rounds: 0.0, "with": refine.noise_amount}
    if flags.with_noise:
        del amounts["without"]
    print(f"{flags.vectors}, {len(rows):,} rows, {flags.size}: mean squared L2")
    for seed in map(int, flags.seeds.split(",")):
        config = dccl.Config(
            seed=seed,
            model=dccl.ModelConfig(num_codebooks=num_codebooks, num_codewords=num_codewords),
            data=dccl.DataConfig(valid_rows=0),
        )
        problem = prepare(rows, config)
        trained = to_codes(problem, fit(problem.job, show_progress=False).state, None)
        counts = (map(int, text.split(",")) for text in (flags.rounds, flags.steps))
        for (num_rounds, num_steps), (name, amount) in itertools.product(
            itertools.product(*counts), amounts.items()
        ):
            refine.noise_amount = amount
            rounds = dccl.RefineConfig(num_rounds=num_rounds, num_steps=num_steps or None)
            started = time.process_time()
            codes = refine.refine_codes(problem.table, trained, rounds, seed=seed).codes
            seconds = time.process_time() - started
            error = code_errors(problem.table, codes)["all"]["mean_squared_l2"]
            steps = f" of {num_steps} steps" if num_steps else ""
            label = f"seed {seed}, {num_rounds} rounds{steps}, {name} noise"
            print(f"{label:48}{error:9.4f} {seconds:7.0f} s of a processor", flush=True)


if __name__ == "__main__":
    main()
