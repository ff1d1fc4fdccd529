"""The English that every CPython carries, so that quickstarts need no download."""

import pydoc_data.topics
import re
import sys
import sysconfig
import tokenize
import warnings
from pathlib import Path

STDLIB = "stdlib"  # as a path of data, it asks for this text

_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)


def stdlib_texts() -> list[str]:
    """Lists the topics of the language reference, then the docstrings of all modules, by name.

    The same Python version gives the same texts. Tests are left out.
    """
    found = [text for _, text in sorted(pydoc_data.topics.topics.items())]
    root = Path(sysconfig.get_paths()["stdlib"])
    for name in sorted(sys.stdlib_module_names):
        files = sorted((root / name).rglob("*.py")) if (root / name).is_dir() else []
        for file in files or [root / f"{name}.py"]:
            if file.exists() and "test" not in file.parts and "idle_test" not in file.parts:
                found.extend(_docstrings(file))
    return found


def _docstrings(file: Path) -> list[str]:
    """Finds the triple-quoted strings of a file: faster than parsing it, and as good here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with tokenize.open(file) as stream:
                return _DOCSTRING.findall(stream.read())
        except (SyntaxError, UnicodeDecodeError, OSError):
            return []
