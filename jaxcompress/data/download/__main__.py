"""Makes `python -m jaxcompress.data.download NAME` run the command."""

import sys

from jaxcompress.data.download.command import main

if __name__ == "__main__":
    sys.exit(main())
