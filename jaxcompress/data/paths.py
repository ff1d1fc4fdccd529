"""Where data is looked for, and where caches are kept."""

import os
from pathlib import Path

from jaxcompress.errors import InputError


def cache_dir() -> Path:
    """`$JAXCOMPRESS_CACHE`, or else `~/.cache/jaxcompress`."""
    return Path(os.environ.get("JAXCOMPRESS_CACHE") or "~/.cache/jaxcompress").expanduser()


def find(path: str, where_to_get_it: str) -> Path:
    """Finds a file: `path` itself, or else under `$JAXCOMPRESS_DATA`, or else the cache.

    A path may go on inside a .zip: `glove.6B.zip/glove.6B.300d.txt`.

    Args:
        path: absolute, or relative to any of these places.
        where_to_get_it: the end of the error's line.

    Raises:
        InputError: where nothing is there; it names the paths looked at.
    """
    places = _places(path)
    for place in places:
        if place.is_dir():
            raise InputError(f"{place} is a folder; expected a file.")
        if place.exists() or split_zip(place)[1]:
            return place
    looked = ", ".join(map(str, places))
    raise InputError(f"no file {path}; looked at {looked}. {where_to_get_it}")


def find_folder(path: str, where_to_get_it: str) -> Path:
    """Finds a folder as `find` finds a file.

    Args:
        path: absolute, or relative to any of these places.
        where_to_get_it: the end of the error's line.

    Raises:
        InputError: where nothing is there; it names the paths looked at.
    """
    places = _places(path)
    for place in places:
        if place.is_file():
            raise InputError(f"{place} is a file; expected a folder.")
        if place.is_dir():
            return place
    looked = ", ".join(map(str, places))
    raise InputError(f"no folder {path}; looked at {looked}. {where_to_get_it}")


def _places(path: str) -> list[Path]:
    place = Path(path).expanduser()
    if place.is_absolute():
        return [place]
    root = os.environ.get("JAXCOMPRESS_DATA")
    data = [Path(root).expanduser() / path] if root else []
    return [place, *data, cache_dir() / path]


def split_zip(path: Path) -> tuple[Path, str | None]:
    """Splits `archive.zip/member` where the archive exists; otherwise `(path, None)`."""
    for parent in path.parents:
        if parent.suffix == ".zip" and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return path, None
