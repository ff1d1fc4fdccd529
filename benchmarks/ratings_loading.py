"""Seconds and peak memory of reading 25 million ratings, in a process of its own.

Command:  python benchmarks/ratings_loading.py --ratings 25000000

A file of the form of MovieLens 25M is made first: 162,000 users, 59,000 items, ids with gaps.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

_READ = """
import resource, sys, time
from jaxcompress.data.ratings.read import read_ratings
started = time.perf_counter()
ratings = read_ratings(sys.argv[1])
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(f"{len(ratings):,} ratings, {len(ratings.user_ids):,} users, "
      f"{len(ratings.item_ids):,} items: {seconds:.1f} s, peak {peak:,.0f} MB")
for note in ratings.notes:
    print(note)
"""


def write(path, num_ratings, chunk=500_000):
    rng = np.random.default_rng(0)
    with open(path, "w") as stream:
        stream.write("userId,movieId,rating,timestamp\n")
        for start in range(0, num_ratings, chunk):
            count = min(chunk, num_ratings - start)
            first, end = (n * 162_000 // num_ratings for n in (start, start + count))
            users = np.sort(rng.integers(first, end + 1, count))
            items = 3 * rng.permutation(59_000)[rng.integers(0, 59_000, count)] + 1
            values, times = rng.integers(1, 11, count) / 2, rng.integers(8e8, 15e8, count)
            rows = zip(users, items, values, times, strict=True)
            stream.write("".join(f"{u},{i},{v},{t}\n" for u, i, v, t in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", type=int, default=25_000_000)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        write(path, flags.ratings)
        print(f"{path.stat().st_size / 1e6:,.0f} MB of text", flush=True)
        subprocess.run([sys.executable, "-c", _READ, str(path)], check=True)


if __name__ == "__main__":
    main()
