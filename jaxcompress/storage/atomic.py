"""Files that are written whole or not at all."""

import contextlib
import os
import shutil
from pathlib import Path
from types import TracebackType


class atomic_write:
    """Writes a file under another name beside it, and renames it when it is complete.

    If the block raises, the partial file is deleted and an older file stays as it was. Permissions
    are those that `open` would leave: of a new file by the umask, of an older one its own.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(path) as partial:
    ...     _ = partial.write_text("done")
    >>> path.read_text(), partial.exists()
    ('done', False)
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> Path:
        return self.partial

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            with contextlib.suppress(OSError):  # an older file keeps its permissions, if it may
                shutil.copymode(self.path, self.partial)
            os.replace(self.partial, self.path)
        else:
            self.partial.unlink(missing_ok=True)
