"""The one exception for input that a user can mend."""


class InputError(ValueError):
    """Bad input: one line that says what is wrong, where, what was expected, what to do.

    The command lines print it without a traceback and exit with status 2.
    """
