"""How a command ends: the exit status, and one line for each error that was foreseen."""

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

from jaxcompress.errors import Diverged, InputError, Stopped
from jaxcompress.notes import shown


def exit_status(
    function: Callable[[], int | None],
    before_failing: Callable[[int | None, BaseException], None] = lambda status, error: None,
    failures: tuple[type[Exception], ...] = (),
    interrupted: str = "interrupted; run the same command to go on from the last checkpoint.",
) -> int:
    """Calls a function; returns the exit status of the process.

    It is 0 for success, 1 for a run that failed, 2 for bad input, 130 for what was asked to stop,
    141 if nobody reads the lines any more, as in `... | head`.

    Args:
        function: returns a status, or None for success.
        before_failing: called with the status and the error, once that was said; with None before
            an error goes on that was not foreseen.
        failures: further errors that are foreseen, of status 1.
        interrupted: what is said after Ctrl-C.
    """
    with _plain_warnings(), _sigterm_as_ctrl_c(), shown():
        try:
            status = function() or 0
            sys.stdout.flush()
            return status
        except Stopped as stopped:  # on all hosts alike
            print(f"{stopped}; run the same command to go on.", file=sys.stderr)
            return 130
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                print(interrupted, file=sys.stderr)
                status = 130
            else:
                status = _tell(error, failures)
            before_failing(status, error)
            if status is None:
                raise
            return status


def _tell(error: BaseException, failures: tuple[type[Exception], ...]) -> int | None:
    """Says an error in one line and gives the exit status; None if it is none of those foreseen."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still held
        return 141
    if isinstance(error, (InputError, Diverged, *failures)):
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
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
