"""What the mains share: their settings, and the processes of several hosts."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxcompress.cli.arguments import Arguments, parse_arguments
from jaxcompress.cli.status import exit_status
from jaxcompress.engine.processes import join_processes, leave_processes
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError
from jaxcompress.storage.places import reachable


def run_main(
    main: Callable[[Arguments], Any],
    argv: Sequence[str] | None,
    modes: Sequence[str],
    options: Any = None,
    *,
    kind: type | None = None,
    doc: str | None = None,
) -> int:
    """Parses, starts the processes of several hosts, runs `main`; returns the exit status.

    Args:
        main: takes what was parsed.
        argv: the command line, program name first; None: that of the process.
        modes: what `parse_arguments` takes.
        options: what `parse_arguments` takes.
        kind: the class of the configs, whose fields `--help` lists; None: it lists none.
        doc: the main's docstring, for `--help`.
    """

    def run() -> int | None:
        arguments = parse_arguments(argv or sys.argv, modes, options, kind, doc or "")
        if arguments.help:
            print(arguments.help)
            return None
        if arguments.distributed:  # before any other call that finds the devices
            status = join_processes()
            if status is not None:
                return status
        main(arguments)
        return None

    return exit_status(run, leave_processes)


def config_and_workdir(arguments: Arguments, kind: type) -> tuple[Any, str]:
    """The config given, or else that of the run in the workdir, and the workdir.

    Raises:
        InputError: if neither is there, the config is not a `kind`, or the workdir is in an object
            store that cannot be reached.
    """
    config, workdir, mode = arguments.config, arguments.workdir, arguments.mode
    if config is not None and not isinstance(config, kind):
        raise InputError(
            f"the config is a {_public_name(type(config))}; this main takes a {_public_name(kind)}."
        )
    if workdir is None:
        raise InputError(
            f"no workdir given; add --workdir DIR, the folder of a run, to --mode {mode}"
        )
    reachable(workdir)  # before data are read
    if config is None or mode not in ("train", "sweep", "compare"):  # those can begin a run
        saved = read_config(workdir, kind)
        config = saved if config is None else config
    return config, workdir


def _public_name(kind: type) -> str:
    """Where a config class is imported from: the face of its method."""
    return f"{kind.__module__.removesuffix('.config')}.{kind.__name__}"


def split_workdirs(arguments: Arguments) -> tuple[list[str], Path]:
    """The workdirs that `--mode compare` lays side by side, and the path of its picture.

    Raises:
        InputError: if there are none.
    """
    paths = [path for path in arguments.options.workdirs.split(",") if path]
    if not paths:
        raise InputError("no workdirs given; add --workdirs=DIR,DIR,...")
    return paths, reachable(arguments.workdir or ".") / "compare.png"
