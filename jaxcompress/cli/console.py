"""What the mains share: errors in one line, exit codes, processes of several hosts."""

import contextlib
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxcompress.cli.arguments import Arguments, parse_arguments
from jaxcompress.engine.job import NonFiniteLoss, Stopped
from jaxcompress.engine.processes import join_processes, leave_processes
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError
from jaxcompress.storage.places import reachable


def run_main(
    main: Callable[[Arguments], Any],
    argv: Sequence[str],
    modes: Sequence[str],
    options: Any = None,
) -> int:
    """Parses, starts the processes of several hosts, runs `main`; returns the exit status.

    0 is success, 1 a run that failed, 2 bad input, 130 a run that was asked to stop.
    """
    with _plain_warnings(), _sigterm_as_ctrl_c():
        try:
            arguments = parse_arguments(argv, modes, options)
            if arguments.distributed:  # before any other call that finds the devices
                status = join_processes()
                if status is not None:
                    return status
            main(arguments)
        except Stopped as stopped:
            print(f"{stopped}; run the same command to go on.", file=sys.stderr)
            return 130
        except BaseException as error:
            status = _tell(error)
            leave_processes(status, error)
            if status is None:
                raise
            return status
    return 0


def _tell(error: BaseException) -> int | None:
    """Says an error in one line and gives the exit status; None if it is none of those foreseen."""
    if isinstance(error, InputError | NonFiniteLoss):
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    if isinstance(error, KeyboardInterrupt):
        print(
            "interrupted; run the same command to go on from the last checkpoint.", file=sys.stderr
        )
        return 130
    return None


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Lets SIGTERM interrupt as Ctrl-C does, outside of training too; in a thread it cannot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Shows our own warnings as a line, without the source line they came from."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


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
