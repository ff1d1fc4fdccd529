"""Seconds and memory of compressing a large table to 16 bytes a row, beside FAISS RQ and LSQ.

Command:  python benchmarks/large_table.py [--rows 400000] [--type float32] [--effort default]
          [--peers rq,lsq]

The large table is made of a smaller one, --vectors: each row is sqrt(0.8) times a random row of it
plus sqrt(0.2) times another, so the covariance is the same and rows lie about those of the smaller
one. It is written to an .npy file and compressed as `jaxcompress.compress(np.load(FILE,
mmap_mode="r"), 32, 16)`, in a process of its own, on two threads.

Memory is the peak of two figures of Linux, taken every 20 ms: all that is resident, and of it what
is anonymous (RssAnon), which leaves out the pages of the memory map. A peer's time is predicted:
that of a sixteenth of the rows, times sixteen.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import data
import numpy as np

BLOCK, PART = 10_000, 16
OURS = """
import json, sys, threading, time
import numpy as np, jaxcompress

def watch(peaks):
    while True:
        lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
        for name in ("VmRSS", "RssAnon"):
            peaks[name] = max(peaks.get(name, 0), 1024 * int(lines[name].split()[0]))
        time.sleep(0.02)

peaks = {}
threading.Thread(target=watch, args=[peaks], daemon=True).start()
rows = np.load(sys.argv[1], mmap_mode="r")
started = time.perf_counter()
codes = jaxcompress.compress(rows, 32, 16, effort=sys.argv[2])
seconds = time.perf_counter() - started
error = float(codes.metadata["mean_squared_l2"])
print(json.dumps({"seconds": seconds, "error": error, **peaks}))
"""
PEER = """
import json, sys, time
import faiss, numpy as np
faiss.omp_set_num_threads(2)
rows = np.ascontiguousarray(np.load(sys.argv[1], mmap_mode="r")[:: int(sys.argv[3])], np.float32)
kind = {"rq": faiss.ResidualQuantizer, "lsq": faiss.LocalSearchQuantizer}[sys.argv[2]]
quantizer = kind(rows.shape[1], 32, 4)
started = time.perf_counter()
quantizer.train(rows)
codes = quantizer.compute_codes(rows)
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def make_table(path, small, num_rows, dtype):
    """Writes the large table, a block at a time."""
    rng = np.random.default_rng(0)
    large = np.lib.format.open_memmap(path, "w+", dtype, (num_rows, small.shape[1]))
    for start in range(0, num_rows, BLOCK):
        count = min(BLOCK, num_rows - start)
        one, other = rng.integers(len(small), size=(2, count))
        large[start : start + count] = 0.8**0.5 * small[one] + 0.2**0.5 * small[other]
    large.flush()


def run(program, *arguments):
    """Runs a program in a process of its own on two threads; returns what it printed as JSON."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "2",
                   "PYTHONPATH": str(data.ROOT)}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        check=True, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--type", default="float32", choices=("float16", "float32"))
    parser.add_argument("--effort", default="default", choices=("fast", "default", "best"))
    parser.add_argument("--peers", default="rq,lsq", help="of rq, lsq; empty: none")
    parser.add_argument("--folder", help="where the table is written; default: a temporary one")
    flags = parser.parse_args()
    small = data.read(flags.vectors)
    with tempfile.TemporaryDirectory(dir=flags.folder) as folder:
        table = Path(folder) / "table.npy"
        make_table(table, small, flags.rows, flags.type)
        size = table.stat().st_size
        print(f"{flags.rows:,} x {small.shape[1]} {flags.type}, {size / 1e6:,.0f} MB", flush=True)
        ours = run(OURS, table, flags.effort)
        print(f"jaxcompress, {flags.effort}: {ours['seconds']:,.0f} s, error {ours['error']:.4f}; "
              f"peak {ours['VmRSS'] / 1e6:,.0f} MB resident ({ours['VmRSS'] / size:.2f} x the "
              f"table), {ours['RssAnon'] / 1e6:,.0f} MB anonymous", flush=True)  # fmt: skip
        for name in filter(None, flags.peers.split(",")):
            seconds = PART * run(PEER, table, name, PART)["seconds"]
            print(f"FAISS {name.upper()} 32x4: {seconds:,.0f} s expected; ours "
                  f"{ours['seconds'] / seconds:.2f} x", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
