"""Files that are written whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from jaxcompress.errors import InputError
from jaxcompress.storage.places import is_remote, reachable


class atomic_write:
    """Writes a file under another name beside it, and renames it when it is complete.

    If the block raises, the partial file is deleted and an older file stays as it was. Permissions
    are those that `open` would leave: of a new file by the umask, of an older one its own. For an
    object of an object store the partial file is a local one, which is sent when it is complete.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(path) as partial:
    ...     _ = partial.write_text("done")
    >>> path.read_text(), partial.exists()
    ('done', False)

    Raises:
        InputError: if the path is in an object store that cannot be reached, or in no folder.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = reachable(path)
        self._is_remote = is_remote(self.path)
        folder = Path(tempfile.mkdtemp()) if self._is_remote else self.path.parent
        self.partial = folder / f"{self.path.name}.{os.getpid()}.tmp"

    def __enter__(self) -> Path:
        folder = self.partial.parent
        if not folder.is_dir():
            raise InputError(
                f"{self.path} cannot be written: there is no folder {folder}; make it first."
            )
        return self.partial

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._put_in_place()
        finally:
            if self._is_remote:
                shutil.rmtree(self.partial.parent)
            elif kind is not None:
                self.partial.unlink(missing_ok=True)

    def _put_in_place(self) -> None:
        if self._is_remote:
            self.path.write_bytes(self.partial.read_bytes())
            return
        with contextlib.suppress(OSError):  # an older file keeps its permissions, if it may
            shutil.copymode(self.path, self.partial)
        os.replace(self.partial, self.path)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Makes a folder under another name beside it, and renames it when it is complete.

    The block makes the folder that it is given. If it raises, all of it is deleted.

    >>> path = Path(tempfile.mkdtemp()) / "model"
    >>> with atomic_folder(path) as partial:
    ...     partial.mkdir()
    >>> path.is_dir(), partial.exists()
    (True, False)

    Args:
        path: where nothing is; the folders above it are made.

    Raises:
        InputError: if something is there.
    """
    if path.exists():
        raise InputError(f"{path} is there already; name a folder that is not.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield partial
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
