"""Notes: what a user should know, and need do nothing about. They go to the logger "jaxcompress".

Commands show them on stderr. `JAXCOMPRESS_LOG=error` silences them, in a program as well, which may
also set the logger's own level.
"""

import contextlib
import logging
import os
from collections.abc import Iterator

from jaxcompress.errors import InputError

_LEVELS = ("debug", "info", "warning", "error", "critical")
_logger = logging.getLogger("jaxcompress")


def note(line: str) -> None:
    """Tells the user a line.

    Raises:
        InputError: if `$JAXCOMPRESS_LOG` names no level.
    """
    if _least_level() <= logging.WARNING:
        _logger.warning("%s", line.removeprefix("note: "))


def _least_level() -> int:
    name = os.environ.get("JAXCOMPRESS_LOG") or "warning"
    if name.lower() not in _LEVELS:
        raise InputError(f"JAXCOMPRESS_LOG is {name!r}; expected one of {', '.join(_LEVELS)}.")
    return getattr(logging, name.upper())


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Shows notes on stderr, as `note: LINE`, unless the logger has a handler of its own."""
    if _logger.handlers:
        yield
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    _logger.addHandler(handler)
    before, _logger.propagate = _logger.propagate, False
    try:
        yield
    finally:
        _logger.removeHandler(handler)
        _logger.propagate = before
