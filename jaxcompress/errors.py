"""How what was asked for can end otherwise, each in one line for the user."""

import contextlib
from collections.abc import Iterator


class InputError(ValueError):
    """Invalid input: one line that says what is wrong, where, what was expected and what to do.

    The command lines print it without a traceback and exit with status 2.
    """


def not_installed(what: str, extra: str, error: ImportError) -> InputError:
    """Makes the error for a package that only an extra of this one installs.

    >>> print(not_installed("an index", "faiss", ImportError("none")))
    an index needs a package that is missing (none); install it: pip install "jaxcompress[faiss]"
    """
    return InputError(
        f"{what} needs a package that is missing ({error}); install it: "
        f'pip install "jaxcompress[{extra}]"'
    )


class Diverged(ArithmeticError):
    """A run came apart: a loss or a figure is NaN or infinite, or the figure of the validation by
    which the best state is chosen is ten times its best. The best checkpoint is kept."""


class Stopped(Exception):
    """The run was asked to stop (Ctrl-C, SIGTERM) and has saved its state."""


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
