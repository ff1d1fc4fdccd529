"""Makes `python -m jaxcompress` the command `jaxcompress`."""

import sys

from jaxcompress.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
