"""The main of the classifier, `jaxcompress/cli/mains/sentiment.py`: `python -m train.sentiment`."""

import sys

from jaxcompress.cli.mains.sentiment import main, train

__all__ = ["main", "train"]

if __name__ == "__main__":
    sys.exit(main())
