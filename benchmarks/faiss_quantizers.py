"""Mean squared L2 and seconds at 16 bytes a row: ours against FAISS's quantizers, in turn.

Command:  python benchmarks/faiss_quantizers.py [--vectors FILE] [--peers opq,rq,lsq]

All rows are trained on; seconds are from vectors in memory to codes of all rows in memory, our
compilation included, 2 threads on each side. Table bytes are what decodes the codes: codebooks,
and OPQ's rotation.
"""

import time

import data
import numpy as np
import peers

import jaxcompress
from jaxcompress import dccl

PEERS = {
    "opq": {
        "FAISS OPQ32,PQ32x4": lambda table: peers.opq(table, 32, 4, same_shape=False),
        "  its rotation trained for 4 bits": lambda table: peers.opq(
            table, 32, 4, same_shape=True
        ),
        "FAISS OPQ16,PQ16x8": lambda table: peers.opq(table, 16, 8, same_shape=False),
    },
    "rq": {"FAISS RQ 32x4, beam 5": lambda table: peers.additive(
        table, "ResidualQuantizer", 32, 4
    )},
    "lsq": {"FAISS LSQ 32x4": lambda table: peers.additive(table, "LocalSearchQuantizer", 32, 4)},
}  # fmt: skip


def compress(table, num_steps, num_rounds):
    config = data.config("glove")
    config.num_steps = num_steps
    config.data = dccl.DataConfig(valid_rows=0)
    if num_rounds is not None:
        config.refine = dccl.RefineConfig(num_rounds=num_rounds)
    started = time.perf_counter()
    codes = jaxcompress.compress(table, 32, 16, config=config)
    seconds = time.perf_counter() - started
    error = np.mean(
        [((codes.decode(ids) - table[ids]) ** 2).sum(axis=1).mean()
         for ids in np.array_split(np.arange(len(table)), 16)]
    )  # fmt: skip
    return peers.Quantized(error, seconds, codes.codes_bytes // len(table), codes.codebook_bytes)


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--peers", default="opq,rq,lsq")
    flags = parser.parse_args()
    table = data.read(flags.vectors)
    runs = {
        "ours": lambda table: compress(table, None, None),
        "ours, 2,500 steps": lambda table: compress(table, 2_500, None),
        "ours, without refinement": lambda table: compress(table, None, 0),
    }
    for name in flags.peers.split(","):
        runs.update(PEERS[name])
    print(f"{flags.vectors}: {table.shape[0]:,} x {table.shape[1]}")
    print(f"{'':36}{'mean squared L2':>16}{'seconds':>9}{'bytes/row':>11}{'table bytes':>13}")
    results = {}
    for name, run in runs.items():
        result = results[name] = run(table)
        print(f"{name:36}{result.mean_squared_l2:16.4f}{result.seconds:9.1f}"
              f"{result.row_bytes:11d}{result.table_bytes:13,}", flush=True)  # fmt: skip
    print("\nours over each of them: error, time")
    for name, result in results.items():
        if name.startswith("ours"):
            continue
        ratios = [
            f"{results[mine].mean_squared_l2 / result.mean_squared_l2:.3f} in "
            f"{results[mine].seconds / result.seconds:.2f} x the time"
            for mine in ("ours", "ours, 2,500 steps")
        ]
        print(f"{name:36}{ratios[0]};  with 2,500 steps {ratios[1]}")


if __name__ == "__main__":
    main()
