"""Makes `python -m jaxcompress.data.download NAME` run `jaxcompress download NAME`."""

import sys

from jaxcompress.data.download.command import main

if __name__ == "__main__":
    sys.exit(main())
