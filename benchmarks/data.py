"""Tables for the benchmarks: files under `$JAXCOMPRESS_DATA`, or any path."""

import argparse

import numpy as np

from jaxcompress.data.vectors import read_vectors

DEFAULT = "vectors/w2v-imdb-wiki.300d.npy"


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with `--vectors FILE`."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--vectors", default=DEFAULT, help="any file that train.dccl reads")
    return result


def read(path: str) -> np.ndarray:
    """float32 [N, D] in memory."""
    return np.array(read_vectors(path).rows, np.float32)
