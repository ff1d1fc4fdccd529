"""Run by test_split.py in two processes: prints how much each has of every eighth of the table."""

import mmap
import sys
from pathlib import Path

import numpy as np

from jaxcompress.cli.console import run_main
from jaxcompress.dccl import Config, DataConfig, ModelConfig, RefineConfig
from jaxcompress.dccl import run as dccl_run

PAGE = mmap.PAGESIZE


def touched(path, num_parts):
    """Which shares of equal parts of a mapped file are in this process."""
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line]
    assert len(maps) == 1, maps
    first, end = (int(x, 16) // PAGE for x in maps[0].split()[0].split("-"))
    with open("/proc/self/pagemap", "rb") as pages:
        pages.seek(8 * first)
        is_here = np.frombuffer(pages.read(8 * (end - first)), np.uint64) >> np.uint64(63)
    return [float(part.mean()) for part in np.array_split(is_here, num_parts)]


def main(arguments):
    path = Path(arguments.workdir).with_name("table.npy")
    config = Config(
        batch_size=64,
        num_steps=20,
        eval_every=10,
        report=False,
        data=DataConfig(path=str(path), shard=True, num_shards=8),
        model=ModelConfig(num_codebooks=4, num_codewords=8),
        refine=RefineConfig(num_rounds=1),
    )
    read, kept = dccl_run.read, []
    dccl_run.read = lambda config: kept.append(read(config)) or kept[0]  # else it is unmapped
    dccl_run.run(config, arguments.workdir, "train")
    print(*(f"{share:.2f}" for share in touched(path, 8)))


if __name__ == "__main__":
    sys.exit(run_main(main, sys.argv, ("train", "split")))
