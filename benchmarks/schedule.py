"""What was tried for the training schedule of `configs/glove.py`, one change at a time.

Command:  python benchmarks/schedule.py [--vectors FILE]

Each line is a run of 32 x 16 codes over all rows, 625,000 rows seen, before refinement.
"""

import dataclasses
import time

import data

from jaxcompress import dccl
from jaxcompress.codes.measure import code_errors
from jaxcompress.dccl.export import to_codes
from jaxcompress.dccl.prepare import prepare
from jaxcompress.engine.loop import fit

TRIES = {
    "ours": {},
    "batch 256": {"batch_size": 256},
    "batch 1024": {"batch_size": 1024},
    "learning rate 3e-3": {"optimizer": {"learning_rate": 3e-3}},
    "learning rate 1.2e-2": {"optimizer": {"learning_rate": 1.2e-2}},
    "learning rate constant": {"optimizer": {"schedule": "constant"}},
    "temperature 1 throughout": {"model": {"final_temperature": None}},
    "temperature down to 0.2": {"model": {"final_temperature": 0.2}},
    "hidden size M*K/2": {"model": {"hidden_size": 256}},
    "hidden size 2*M*K": {"model": {"hidden_size": 1024}},
}


def changed(config, changes):
    """Replaces fields, in groups too."""
    for name, value in changes.items():
        if isinstance(value, dict):
            value = dataclasses.replace(getattr(config, name), **value)
        config = dataclasses.replace(config, **{name: value})
    return config


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--rows_seen", type=int, default=625_000)
    flags = parser.parse_args()
    table = data.read(flags.vectors)
    print(f"{flags.vectors}, {flags.rows_seen:,} rows seen: mean squared L2, seconds")
    for name, changes in TRIES.items():
        config = changed(data.config("glove"), changes)
        config.num_steps = flags.rows_seen // config.batch_size
        config.data = dccl.DataConfig(valid_rows=0)
        config.refine = dccl.RefineConfig(num_rounds=0)
        started = time.perf_counter()
        problem = prepare(table, config)
        fitted = fit(problem.job, show_progress=False)
        codes = to_codes(problem, fitted.state, None)
        seconds = time.perf_counter() - started
        error = code_errors(problem.table, codes)["all"]["mean_squared_l2"]
        print(f"{name:28}{error:8.4f}{seconds:8.1f}", flush=True)


if __name__ == "__main__":
    main()
