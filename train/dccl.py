"""The main of DCCL, `jaxcompress/cli/mains/dccl.py`: `python -m train.dccl`."""

import sys

from jaxcompress.cli.mains.dccl import main, train

__all__ = ["main", "train"]

if __name__ == "__main__":
    sys.exit(main())
