"""Writes the report of a run anew, whichever method it is of."""

import dataclasses
import os
from importlib import import_module
from pathlib import Path

from jaxcompress.errors import InputError
from jaxcompress.storage.json_files import read_json
from jaxcompress.storage.places import reachable

_METHODS = ("dccl", "tying", "ant", "classifier")


def write_report(workdir: str | os.PathLike) -> Path:
    """Writes `WORKDIR/report.html` of a finished run anew: the page that a run ends with.

    Args:
        workdir: the folder of a run of any method.

    Returns:
        The file.

    Raises:
        InputError: if there is no run, it is not finished, its data are not where they were, or
            Jinja or matplotlib is missing (extra `plots`).
    """
    report = import_module(f"jaxcompress.{method_of(workdir)}.report")
    return report.write_report(workdir)


def method_of(workdir: str | os.PathLike) -> str:
    """Tells the method of a run by the settings in its `config.json`: the name of its folder.

    Raises:
        InputError: if there is no run, or one of no method that is known here.
    """
    from jaxcompress.engine.workdir import FINGERPRINT  # here, since it needs jax

    file = reachable(workdir) / "config.json"
    if not file.exists():
        raise InputError(f"workdir {workdir} holds no run (no {file}); train one first.")
    settings = read_json(file, "restore it from a copy").keys() - {FINGERPRINT}
    for method in _METHODS:
        config = import_module(f"jaxcompress.{method}.config").Config
        if settings <= {field.name for field in dataclasses.fields(config)}:
            return method
    raise InputError(
        f"workdir {workdir} holds a run of none of {', '.join(_METHODS)}; its report is written by "
        "the method that trained it."
    )
