"""The exception for input that a user can correct."""


class InputError(ValueError):
    """Invalid input: one line that says what is wrong, where, what was expected and what to do.

    The command lines print it without a traceback and exit with status 2.
    """
