"""Learns tables of ratings: `python -m train.ant --config configs/movielens_1m.py:ant`.

The same command again goes on with the run, or finds it finished. `--mode evaluate` and `--mode
export` take a finished or half-finished run; `--mode inspect` shows what its anchors stand for
(`--num_items`), `--mode rank` ranks all items of each user (`--k`, `--threshold`), `--mode compare`
lays runs side by side (`--workdirs=DIR,DIR,...`).
"""

from collections.abc import Sequence

from jaxcompress.ant.compare import compare, show_comparison
from jaxcompress.ant.config import Config
from jaxcompress.ant.run import Options, run, train
from jaxcompress.cli.arguments import Arguments
from jaxcompress.cli.console import config_and_workdir, run_main, split_workdirs

__all__ = ["main", "train"]
MODES = ("train", "evaluate", "export", "inspect", "rank", "compare")


def _main(arguments: Arguments) -> None:
    if arguments.mode == "compare":
        workdirs, picture = split_workdirs(arguments)
        show_comparison(compare(workdirs), picture)
    else:
        config, workdir = config_and_workdir(arguments, Config)
        run(config, workdir, arguments.mode, arguments.options)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line, program name first; returns the exit status."""
    return run_main(_main, argv, MODES, Options(), kind=Config, doc=__doc__)
