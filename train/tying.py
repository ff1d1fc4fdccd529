"""The main of tying, `jaxcompress/cli/mains/tying.py`: `python -m train.tying`."""

import sys

from jaxcompress.cli.mains.tying import main, train

__all__ = ["main", "train"]

if __name__ == "__main__":
    sys.exit(main())
