"""The exception for input that a user can correct."""

import contextlib
from collections.abc import Iterator


class InputError(ValueError):
    """Invalid input: one line that says what is wrong, where, what was expected and what to do.

    The command lines print it without a traceback and exit with status 2.
    """


@contextlib.contextmanager
def naming(source: str) -> Iterator[None]:
    """Puts the name of what was read before the message of an `InputError`.

    >>> with naming("glove.txt"):
    ...     raise InputError("1 rows; expected 2.")
    Traceback (most recent call last):
    jaxcompress.errors.InputError: glove.txt: 1 rows; expected 2.

    Args:
        source: the name; nothing is put before a message if it is empty.
    """
    try:
        yield
    except InputError as error:
        if not source:
            raise
        raise InputError(f"{source}: {error}") from None
