"""`jaxcompress nearest FILE WORD`: the rows of largest cosine, by what the file keeps alone."""

import argparse
import sys

from jaxcompress.errors import InputError
from jaxcompress.loading import load


def main(argv: list[str], prog: str) -> None:
    """Prints neighbour and cosine, tab between; of several words, each line starts with its own."""
    parser = argparse.ArgumentParser(
        prog=prog, description="The words whose vectors have the largest cosine with a word's."
    )
    parser.add_argument("file", metavar="FILE", help="codes, anchors, or a run's workdir")
    parser.add_argument("words", metavar="WORD", nargs="+", help='"-": words from stdin, by lines')
    parser.add_argument("-n", type=int, default=10, metavar="N", help="neighbours (default: 10)")
    flags = parser.parse_args(argv)
    table = load(flags.file)
    words = sys.stdin.read().splitlines() if flags.words == ["-"] else flags.words
    for word in words:
        prefix = f"{word}\t" if len(words) > 1 else ""
        try:
            found = table.nearest(word, flags.n)
        except KeyError as error:
            raise InputError(f"{flags.file}: {error.args[0]}") from None
        for neighbour, cosine in found:
            print(f"{prefix}{neighbour}\t{cosine:.4f}")
