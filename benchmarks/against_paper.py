"""Hard-code error of our training against the paper's, both after 2.5 million rows seen.

Command:  python benchmarks/against_paper.py [--vectors FILE]

32 x 16 codes, all rows trained on, before any refinement. The paper's training is that of
`configs/glove_paper.py`: Adam 1e-4, gradient norm clipped at 0.001, batch 128, temperature 1.
"""

import time

import data

from jaxcompress import dccl, learn


def train(table, config, rows_seen):
    """Returns mean squared L2 of hard codes over all rows, and seconds."""
    config.num_steps = rows_seen // config.batch_size
    config.data = dccl.DataConfig(valid_rows=0)
    config.refine = dccl.RefineConfig(num_rounds=0)
    started = time.perf_counter()
    problem = learn.prepare(table, config)
    fitted = learn.fit(problem, show_progress=False)
    codes = learn.to_codes(problem, fitted.state, None)
    seconds = time.perf_counter() - started
    return learn.code_errors(problem, codes)["all"]["mean_squared_l2"], seconds


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--rows_seen", type=int, default=2_500_000)
    flags = parser.parse_args()
    table = data.read(flags.vectors)
    ours, our_seconds = train(table, data.config("glove"), flags.rows_seen)
    paper, paper_seconds = train(table, data.config("glove_paper"), flags.rows_seen)
    print(f"{flags.vectors}, {flags.rows_seen:,} rows seen, mean squared L2")
    print(f"ours            {ours:.4f}  {our_seconds:6.1f} s")
    print(f"paper's         {paper:.4f}  {paper_seconds:6.1f} s")
    print(f"ratio           {ours / paper:.3f}")


if __name__ == "__main__":
    main()
