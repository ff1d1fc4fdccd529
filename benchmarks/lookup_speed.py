"""Rows/s of `Codes.lookup` against FAISS's decoder of the same codes, on CPU, in turn.

Command:  python benchmarks/lookup_speed.py

32 x 16 codes, D 300, batches of 4,096 ids, 2 threads each; ids in host memory, rows out.
"""

import argparse
import time

import jax
import numpy as np
import quantizers

from jaxcompress import Codes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=4096)
    flags = parser.parse_args()
    rng = np.random.default_rng(0)
    codes = Codes(
        rng.integers(0, 16, (400_000, 32)), rng.normal(size=(32, 16, 300)).astype(np.float32)
    )
    ours = lambda ids: jax.block_until_ready(codes.lookup(ids))
    theirs = quantizers.additive_decoder(codes.codes, codes.codebooks)
    ids = rng.integers(0, len(codes), flags.batch)
    np.testing.assert_allclose(ours(ids), theirs(ids), atol=1e-4)

    def rows_per_second(call):
        started = time.perf_counter()
        for _ in range(40):
            call(rng.integers(0, len(codes), flags.batch))
        return 40 * flags.batch / (time.perf_counter() - started)

    speeds = [(rows_per_second(ours), rows_per_second(theirs)) for _ in range(flags.rounds)]
    our, their = np.median(speeds, axis=0)
    ratio = np.median([a / b for a, b in speeds])
    print(f"ours {our:,.0f} rows/s, FAISS {their:,.0f} rows/s, median of ratios {ratio:.2f}")


if __name__ == "__main__":
    main()
