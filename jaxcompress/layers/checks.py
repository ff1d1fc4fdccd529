"""What layers of all libraries check of what they are given."""

from typing import Any

from jaxcompress.codes.artefact import Codes
from jaxcompress.errors import InputError


def check_codes(codes: Any, layer: str) -> None:
    """Raises InputError if a layer was given anything but `Codes`."""
    if not isinstance(codes, Codes):
        raise InputError(
            f"{layer} got an object of type {type(codes).__name__}; expected jaxcompress.Codes, as "
            "jaxcompress.load_codes(PATH) or jaxcompress.compress(TABLE) gives them."
        )
