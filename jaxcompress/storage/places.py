"""Paths on this machine, or in an object store: `gs://BUCKET/...` by way of `etils.epath`.

Whatever takes a path from a user takes it through `as_path`. An object is written at once and never
renamed, and it has no local file: what must be one is copied (`local_copy`).
"""

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from jaxcompress.errors import InputError, not_installed

_STORE = "gs://"  # the one object store that orbax knows


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path is that of an object store.

    >>> is_remote("gs://bucket/run"), is_remote("out/run")
    (True, False)

    Raises:
        InputError: if it is that of a store which is not supported.
    """
    text = os.fspath(path)
    if text.startswith(_STORE):
        return True
    scheme, separator, _ = text.partition("://")
    if separator and "/" not in scheme:
        raise InputError(
            f"{text}: {scheme}:// is not supported; expected a folder, or gs://BUCKET/..."
        )
    return False


def expand(path: str | os.PathLike) -> Path:
    """Puts a home folder in the place of `~` or `~user`.

    If there is no such user, the path stays as it is; `Path.expanduser` would raise.
    """
    return Path(os.path.expanduser(path))


def as_path(path: str | os.PathLike) -> Path:
    """Gives the path as an object with the methods of `Path`, which of an object store are epath's.

    A `~` at its start is the home folder.

    Raises:
        InputError: if it is that of a store which is not supported.
    """
    if not is_remote(path):
        return expand(path)
    from etils import epath  # here, since few paths need it

    return cast(Path, epath.Path(os.fspath(path)))


def count_bytes(path: Path) -> int:
    """Counts the bytes of a file; `path` is as `as_path` gives it."""
    stat: Any = path.stat()
    return stat.length if is_remote(path) else stat.st_size


def absolute(path: str | os.PathLike) -> Path:
    """Gives the path as `as_path` does, from the root on."""
    place = as_path(path)
    return place if is_remote(place) else place.absolute()


def reachable(path: str | os.PathLike) -> Path:
    """Gives the path as `as_path` does, once its store has answered.

    Raises:
        InputError: if it does not, or what opens it is not installed.
    """
    place = as_path(path)
    if is_remote(place):
        try:
            with _silenced("gcsfs"):  # it logs the traceback of what it raises
                place.exists()
        except ImportError as error:
            raise not_installed(f"{place}: {_STORE}", "gcs", error) from None
        except Exception as error:  # of whichever package opens it: no network, no bucket, no right
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{place}: cannot be reached ({reason}); check the bucket and your credentials."
            ) from None
    return place


@contextlib.contextmanager
def _silenced(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def local_copy(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a file that can be mapped or opened by its name; that of an object is deleted after."""
    place = as_path(path)
    if not is_remote(place):
        yield place
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / place.name
        copy.write_bytes(place.read_bytes())
        yield copy


def delete_folder(path: Path) -> None:
    """Deletes a folder and all in it; it need not be there."""
    if is_remote(path):
        cast(Any, path).rmtree(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
