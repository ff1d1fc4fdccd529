"""How texts and numbers are written on a page."""

import re

# what no XML may hold, and halves of surrogate pairs, which UTF-8 cannot
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Puts the replacement character in the place of what a page cannot hold.

    >>> clean("a\\x00b\\ud800")
    'a\ufffdb\ufffd'
    """
    return _UNPRINTABLE.sub("\ufffd", text)


def short(text: str, most: int) -> str:
    """Cuts a text to `most` characters.

    >>> short("abcdef", 4), short("abcd", 4)
    ('abc…', 'abcd')
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def percent(share: float, digits: int = 1) -> str:
    r"""Writes a share; the line does not break before the sign.

    >>> percent(0.1234), percent(0.1234, 0)
    ('12.3\xa0%', '12\xa0%')
    """
    return f"{100 * share:.{digits}f}\xa0%"


def show_bytes(count: float) -> str:
    r"""Writes a number of bytes, to three digits.

    >>> [show_bytes(n) for n in (12, 2_000_000, 93_120, 123_456)]
    ['12 bytes', '2.00\xa0MB', '93.1\xa0kB', '123\xa0kB']
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:#.3g}".removesuffix(".") + f"\xa0{unit}"
    return f"{count:.0f} bytes"
