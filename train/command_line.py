"""What the mains share: processes, errors in one line, tables."""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax

from jaxcompress.config import Arguments, parse_arguments
from jaxcompress.errors import InputError
from jaxcompress.loop import NonFiniteLoss, Stopped


def run(main: Callable[[Arguments], Any], argv: Sequence[str], modes: Sequence[str]) -> int:
    """Parses, starts the processes of several hosts, runs `main`; returns the exit status.

    0 is success, 1 a run that failed, 2 bad input, 130 a run that was asked to stop.
    """
    with _plain_warnings():
        try:
            arguments = parse_arguments(argv, modes)
            if arguments.distributed:
                _initialize_processes()  # before any other call that finds the devices
            main(arguments)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except NonFiniteLoss as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except Stopped as stopped:
            print(f"{stopped}; run the same command to go on.", file=sys.stderr)
            return 130
        except KeyboardInterrupt:
            print(
                "interrupted; run the same command to go on from the last checkpoint.",
                file=sys.stderr,
            )
            return 130
    return 0


def _initialize_processes() -> None:
    """Joins the processes of all hosts.

    TPU pods and clusters tell jax all it needs; elsewhere JAX_COORDINATOR_ADDRESS,
    JAX_NUM_PROCESSES and JAX_PROCESS_ID do.
    """
    number, process = (os.environ.get(f"JAX_{n}") for n in ("NUM_PROCESSES", "PROCESS_ID"))
    jax.distributed.initialize(
        num_processes=int(number) if number else None,
        process_id=int(process) if process else None,
    )


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Shows our own warnings as a line, without the source line they came from."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def say(line: str = "") -> None:
    """Prints a line on process 0."""
    if jax.process_index() == 0:
        print(line, flush=True)


def table(figures: Mapping[str, Any]) -> str:
    """Lays names and figures out in two columns."""
    width = max(map(len, figures))
    return "\n".join(f"{name:<{width}}  {_show(value):>14}" for name, value in figures.items())


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
