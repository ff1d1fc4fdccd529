"""The command `jaxcompress`: one word says what to do, and a file of this folder does it."""

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from jaxcompress.cli.status import exit_status
from jaxcompress.data.download.transfer import TransferError

_METHODS = ("dccl", "tying", "ant", "sentiment")
_COMMANDS = {  # file of this folder, and what --help says
    "compress": ("compress", "make codes of a table of vectors"),
    "info": ("info", "what is in a compressed file: sizes, error, hash"),
    "nearest": ("nearest", "the nearest words of a word"),
    "convert": ("convert", "decode to word2vec, npy, safetensors or faiss"),
    "export-model": ("export_model", "a copy of a model with the compressed table in it"),
    "report": ("report", "the page of a run, written anew"),
    "train": ("", "train a method by a config: dccl, tying, ant or sentiment"),
    "download": ("", "fetch a data set"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line, without program name; returns the exit status."""
    return exit_status(
        functools.partial(_run, list(sys.argv[1:] if argv is None else argv)),
        failures=(TransferError, OSError),
        interrupted="interrupted; nothing was written.",
    )


def _run(argv: list[str]) -> int | None:
    parser = argparse.ArgumentParser(
        prog="jaxcompress",
        description="Small embedding tables.",
        usage="jaxcompress COMMAND ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(
            ["commands, each with a --help of its own:"]
            + [f"  {name:<14}{meaning}" for name, (_, meaning) in _COMMANDS.items()]
        ),
    )
    parser.add_argument(
        "--version", action="version", version=import_module("jaxcompress").__version__
    )
    parser.add_argument("command", choices=_COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    if not argv:
        parser.print_help()
        return 2
    name = parser.parse_args(argv[:1]).command
    if name == "train":
        return _train(argv[1:])
    if name == "download":
        from jaxcompress.data.download.command import main

        return main(argv[1:])
    return _module(_COMMANDS[name][0])(argv[1:], f"jaxcompress {name}")


def _module(name: str) -> Callable[..., int | None]:
    """Gives the main of a file; imported here, since some of them load jax."""
    return import_module(f"jaxcompress.cli.{name}").main


def _train(argv: list[str]) -> int:
    """Runs the main of a method."""
    parser = argparse.ArgumentParser(
        prog="jaxcompress train",
        usage="jaxcompress train METHOD --config NAME ...",
        description="Trains by a config; jaxcompress train METHOD --help lists its fields.",
    )
    parser.add_argument("method", choices=_METHODS, metavar="METHOD", help=", ".join(_METHODS))
    method = parser.parse_args(argv[:1]).method
    return _module(f"mains.{method}")([f"jaxcompress train {method}", *argv[1:]])
