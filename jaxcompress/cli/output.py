"""The file that a command writes: named after its input, and never written over unasked."""

import argparse
from pathlib import Path

from jaxcompress.data.compression import without_compression
from jaxcompress.errors import InputError


def add_output(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds `-o OUT` and `--force`."""
    parser.add_argument("-o", "--out", metavar="OUT", help=f"default: {default}, here")
    parser.add_argument("--force", action="store_true", help="write over OUT")


def output_path(flags: argparse.Namespace, ending: str) -> Path:
    """Gives the path to write to.

    Args:
        flags: of `add_output`, and `file`, the input.
        ending: of the default's name.

    Raises:
        InputError: if there is a file already, or no folder for it.
    """
    path = Path(flags.out or f"{_stem(flags.file)}{ending}")
    if path.exists() and not flags.force:
        raise InputError(f"{path} is there already; give another with -o, or --force.")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} for {path.name}; make it first.")
    return path


def _stem(path: str) -> str:
    """The name of a file without its endings, or of a folder.

    >>> [_stem(path) for path in ("a/glove.300d.txt.gz", "glove.codes.safetensors", "out/run/")]
    ['glove.300d', 'glove', 'run']
    """
    name = without_compression(Path(path).name)
    for ending in (".codes.safetensors", Path(name).suffix):
        name = name.removesuffix(ending)
    return name
