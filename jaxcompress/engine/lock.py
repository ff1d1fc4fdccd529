"""One run at a time in a workdir.

On a file system the operating system holds a lock, and lets go of it however a run ends. An object
store has none. There the run that saves leaves its mark, and one that no longer finds its own stops
before it saves more: the run that began last goes on, and one that was killed is in nobody's way.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import filelock
import jax

from jaxcompress.errors import InputError
from jaxcompress.storage.places import as_path, is_remote

_FILE = ".lock"
_marks: dict[str, str] = {}  # workdir in an object store -> the mark that this process has left


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds a workdir.

    Raises:
        InputError: if another run holds it; in an object store `check_held` finds that out.
    """
    if is_remote(path):
        try:
            yield
        finally:
            _marks.pop(os.fspath(path), None)
        return
    lock = filelock.FileLock(path / _FILE, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(
            f"workdir {path} is in use by another run; wait for it, or give another --workdir."
        ) from None
    try:
        yield
    finally:
        lock.release()


def check_held(workdir: Path) -> None:
    """Leaves this run's mark in an object store, or checks that it is still there; on process 0.

    Raises:
        InputError: if another run has left its own since.
    """
    if not is_remote(workdir) or jax.process_index() > 0:
        return
    file, name = as_path(workdir) / _FILE, os.fspath(workdir)
    if name not in _marks:
        _marks[name] = uuid.uuid4().hex
        file.write_text(_marks[name])
    elif not file.exists() or file.read_text() != _marks[name]:
        raise InputError(
            f"workdir {workdir} was taken by another run, or deleted; this one has stopped."
        )
