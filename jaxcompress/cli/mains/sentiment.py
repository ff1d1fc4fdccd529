"""Judges vectors by a classifier of texts: `python -m train.sentiment --config configs/imdb.py`.

`--config.vectors=PATH` names vectors or codes; without any, a table is learned from scratch.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes what the task has learned of the table, `--mode compare` trains the same classifier on
several tables and lays them side by side. The same command again goes on with a run, or finds it
finished.
"""

from collections.abc import Sequence

from jaxcompress.classifier.compare import Options, compare, show_comparison
from jaxcompress.classifier.config import Config
from jaxcompress.classifier.run import run, train
from jaxcompress.cli.arguments import Arguments
from jaxcompress.cli.console import config_and_workdir, run_main
from jaxcompress.storage.places import as_path

__all__ = ["main", "train"]
MODES = ("train", "evaluate", "export", "compare")


def _main(arguments: Arguments) -> None:
    config, workdir = config_and_workdir(arguments, Config)
    if arguments.mode == "compare":
        rows = compare(config, workdir, arguments.options)
        show_comparison(rows, as_path(workdir) / "compare.png")
    else:
        run(config, workdir, arguments.mode)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line, program name first; returns the exit status."""
    return run_main(_main, argv, MODES, Options(), kind=Config, doc=__doc__)
