"""Published configs, by name: `glove`, `ptb:small-real`; a name that ends in .py is a file.

They are the files of `configs/` in a checkout, which a wheel has as `jaxcompress/configs/`.
"""

import functools
import os
from pathlib import Path

from jaxcompress.errors import InputError

_PACKAGE = Path(__file__).parents[1]


@functools.cache
def config_folder() -> Path:
    """The folder of the published configs."""
    inside, beside = _PACKAGE / "configs", _PACKAGE.parent / "configs"
    return inside if inside.is_dir() else beside


def config_names() -> list[str]:
    """Lists the published configs."""
    return sorted(path.stem for path in config_folder().glob("*.py"))


def find_config(spec: str) -> str:
    """Gives FILE[:ARGUMENT] of NAME[:ARGUMENT] or FILE[:ARGUMENT].

    >>> os.path.basename(find_config("ptb:small-real"))
    'ptb.py:small-real'

    Raises:
        InputError: if there is no such config.
    """
    name, colon, argument = spec.partition(":")
    is_file = name.endswith(".py") or os.sep in name
    path = name if is_file else config_folder() / f"{name}.py"
    if not os.path.isfile(path):
        if is_file:
            own = Path(name).stem
            also = f"--config {own} is a published one" if own in config_names() else _published()
            raise InputError(f"no config file at {name!r}; {also}.")
        raise InputError(f"no config {name!r}; {_published()}; a file's name ends in .py.")
    return f"{path}{colon}{argument}"


def _published() -> str:
    return f"published are {', '.join(config_names())}"
