"""JSON files of a workdir, which a crash, a disk or a hand may have damaged."""

import json
from pathlib import Path
from typing import Any

from jaxcompress.errors import InputError

REWRITE = "--mode evaluate writes it anew"  # what to do about a `summary.json`


def read_json(file: Path, advice: str) -> dict[str, Any]:
    """Reads a file that holds an object.

    Args:
        file: where it is.
        advice: the end of the error, a clause: what to do if the file is damaged.

    Raises:
        InputError: if it is no JSON, or something else than an object.
    """
    try:
        values = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is damaged ({error}); {advice}.") from None
    if not isinstance(values, dict):
        raise InputError(
            f"{file} is damaged (it holds a {type(values).__name__}, not an object); {advice}."
        )
    return values
