"""Tables and configs for the benchmarks: files under `$JAXCOMPRESS_DATA`, or any path."""

import argparse
import runpy
from pathlib import Path
from typing import Any

import numpy as np

from jaxcompress.data.vectors.files import read_vectors

ROOT = Path(__file__).parents[1]
DEFAULT = "vectors/w2v-imdb-wiki.300d.npy"


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with `--vectors FILE`."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--vectors", default=DEFAULT, help="any file that train.dccl reads")
    return result


def read(path: str) -> np.ndarray:
    """float32 [N, D] in memory."""
    return np.array(read_vectors(path).rows, np.float32)


def config(name: str) -> Any:
    """The config of `configs/NAME.py`."""
    return runpy.run_path(str(ROOT / "configs" / f"{name}.py"))["get_config"]()
