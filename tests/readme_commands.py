"""Prints a command line of the README: `python3 tests/readme_commands.py run|test`.

A command line is the `sh` block under the comment `<!-- command: NAME -->`.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def command(name: str) -> str:
    """Returns the command line called `name`."""
    pattern = rf"<!-- command: {name} -->\s*```sh\n(.*?)```"
    found = re.search(pattern, README.read_text(), re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no command line called {name!r}")
    return found.group(1).strip()


if __name__ == "__main__":
    print(command(sys.argv[1]))
