"""The main of ANT, `jaxcompress/cli/mains/ant.py`: `python -m train.ant`."""

import sys

from jaxcompress.cli.mains.ant import main, train

__all__ = ["main", "train"]

if __name__ == "__main__":
    sys.exit(main())
