"""Peak memory of compressing 400,000 x 300 float32, and the seconds its text form takes to read.

Command:  python benchmarks/memory.py

Makes a GloVe-like text file in a temporary folder (1 GB), then runs the main on it in a process
of its own, with few steps: memory does not depend on their number. Peak memory is the process's
largest resident size, the mapped table included, and is given over the table's bytes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
READ = """
import sys, time
from jaxcompress.data.vectors.files import read_vectors
started = time.perf_counter()
vectors = read_vectors(sys.argv[1])
print(f"{vectors.rows.shape[0]:,} x {vectors.rows.shape[1]} in", end=" ")
print(f"{time.perf_counter() - started:.1f} s")
"""
COMPRESS = """
import sys, numpy as np, jaxcompress
from jaxcompress import dccl
rows = np.load(sys.argv[1])
config = dccl.Config(
    num_steps=200, data=dccl.DataConfig(valid_rows=0), refine=dccl.RefineConfig(num_rounds=1)
)
print(jaxcompress.compress(rows, config=config))
"""
# Runs a module or a program with the rest of the arguments, then prints its peak in kibibytes.
MEASURED = """
import atexit, resource, runpy, sys
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
atexit.register(lambda: print("peak", peak(), flush=True))
sys.argv = sys.argv[1:]
if sys.argv[0] == "-c":
    sys.argv = sys.argv[1:]
    exec(sys.argv[0])
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def peak(*arguments, **environment):
    """Runs a module in a process of its own; returns its peak resident size in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        check=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    return 1024 * int(done.stdout.rsplit("peak", 1)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--dim", type=int, default=300)
    flags = parser.parse_args()
    size = 4 * flags.rows * flags.dim
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "glove.txt"
        rng = np.random.default_rng(0)
        with open(text, "w") as stream:
            for start in range(0, flags.rows, 1000):
                block = rng.normal(size=(1000, flags.dim)) @ np.diag(np.linspace(1, 0.1, flags.dim))
                for i, row in enumerate(block):
                    numbers = " ".join(f"{x:.5g}" for x in row)
                    stream.write(f"word{start + i} {numbers}\n")
        cache = {"JAXCOMPRESS_CACHE": folder}
        for what in ("text, first", "text, from the cache"):
            print(f"reading {what}:", end=" ", flush=True)
            subprocess.run([sys.executable, "-c", READ, str(text)], check=True,
                           cwd=ROOT, env={**os.environ, **cache})  # fmt: skip
        started = time.perf_counter()
        used = peak(
            "train.dccl", "--config=configs/glove.py", f"--config.data.path={text}",
            f"--workdir={folder}/run", "--config.num_steps=200", "--config.refine.num_rounds=1",
            "--config.sample_words=word1,word2", **cache,
        )  # fmt: skip
        print(f"python -m train.dccl: peak {used / 1e6:,.0f} MB = {used / size:.2f} x the table, "
              f"{time.perf_counter() - started:.0f} s")  # fmt: skip
        table = next(Path(folder, "vectors").glob("*.npy"))
        used = peak("-c", COMPRESS, str(table), **cache)
        print(f"jaxcompress.compress: peak {used / 1e6:,.0f} MB = {used / size:.2f} x the table")


if __name__ == "__main__":
    main()
