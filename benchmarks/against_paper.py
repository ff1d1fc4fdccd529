"""Hard-code error of ours against the paper's training, all after 2.5 million rows seen.

Command:  python benchmarks/against_paper.py [--vectors FILE]

32 x 16 codes, all rows trained on. The paper's training is that of `configs/glove_paper.py`: Adam
1e-4, gradient norm clipped at 0.001, batch 128, temperature 1. Ours is that of
`configs/glove.py`; each round of refinement sees every row once, and counts as that.
"""

import time

import data

from jaxcompress import coded_table, dccl, learn, loop

NUM_ROUNDS = 10  # of refinement: w2v is seen as often as in a fifth of the training


def train(table, config, rows_seen, num_rounds):
    """Returns mean squared L2 of hard codes over all rows, and seconds."""
    config.num_steps = (rows_seen - num_rounds * len(table)) // config.batch_size
    config.data = dccl.DataConfig(valid_rows=0)
    config.refine = dccl.RefineConfig(num_rounds=num_rounds)
    started = time.perf_counter()
    problem = learn.prepare(table, config)
    fitted = loop.fit(problem.job, show_progress=False)
    trained = learn.to_codes(problem, fitted.state, None)
    codes = coded_table.refine_codes(problem.table, trained, config.refine).codes
    seconds = time.perf_counter() - started
    return coded_table.code_errors(problem.table, codes)["all"]["mean_squared_l2"], seconds


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--rows_seen", type=int, default=2_500_000)
    flags = parser.parse_args()
    table = data.read(flags.vectors)
    print(f"{flags.vectors}, {flags.rows_seen:,} rows seen: mean squared L2, seconds", flush=True)
    ours = data.config("glove")
    runs = {
        "ours, refined": (ours, NUM_ROUNDS),
        "ours, training alone": (data.config("glove"), 0),
        "the paper's": (data.config("glove_paper"), 0),
    }
    results = {}
    for name, (config, num_rounds) in runs.items():
        results[name] = error, seconds = train(table, config, flags.rows_seen, num_rounds)
        print(f"{name:22}{error:8.4f}{seconds:8.1f}", flush=True)
    paper, _ = results["the paper's"]
    for name in ("ours, refined", "ours, training alone"):
        print(f"{name} over the paper's: {results[name][0] / paper:.3f}")


if __name__ == "__main__":
    main()
