"""Compresses a table of vectors to codes: `python -m train.dccl --config configs/quickstart.py`.

`--mode sweep` measures what sizes of codes take and give, on a sample of the rows.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes its files anew. The same command again goes on with a run, or finds it finished.
"""

from collections.abc import Sequence

from jaxcompress.cli.arguments import Arguments
from jaxcompress.cli.console import config_and_workdir, run_main
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.run import run, train

__all__ = ["main", "train"]
MODES = ("train", "evaluate", "export", "sweep")


def _main(arguments: Arguments) -> None:
    config, workdir = config_and_workdir(arguments, Config)
    run(config, workdir, arguments.mode)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line, program name first; returns the exit status."""
    return run_main(_main, argv, MODES, kind=Config, doc=__doc__)
