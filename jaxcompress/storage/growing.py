"""Files that grow while a run trains, also where nothing can be appended to."""

import os
import tempfile
from pathlib import Path

from jaxcompress.storage.places import as_path, is_remote


class GrowingFiles:
    """A folder of files that are appended to.

    An object is written whole, so in an object store's place there is a local folder, whose files
    are sent anew when they have grown.

    Args:
        folder: where the files belong.

    Attributes:
        local: where to write them.
    """

    def __init__(self, folder: str | os.PathLike):
        self._target = as_path(folder)
        self._temporary = tempfile.TemporaryDirectory() if is_remote(folder) else None
        self.local = self._target if self._temporary is None else Path(self._temporary.name)
        self._sent: dict[Path, int] = {}  # bytes of a file that have been sent

    @property
    def is_remote(self) -> bool:
        """Whether the files have to be sent."""
        return self._temporary is not None

    def send(self) -> None:
        """Sends what has grown since the last time."""
        if self._temporary is None:
            return
        for file in self.local.rglob("*"):
            if file.is_file() and file.stat().st_size != self._sent.get(file):
                content, name = file.read_bytes(), file.relative_to(self.local).as_posix()
                (self._target / name).write_bytes(content)
                self._sent[file] = len(content)

    def close(self) -> None:
        """Sends the rest, and deletes the local folder."""
        if self._temporary is not None:
            self.send()
            self._temporary.cleanup()
