"""Where data are looked for, how their files are opened, and where caches are kept."""

import contextlib
import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from jaxcompress.errors import InputError


def cache_dir() -> Path:
    """Gives the folder of caches: `$JAXCOMPRESS_CACHE`, or else `~/.cache/jaxcompress`."""
    return expand(os.environ.get("JAXCOMPRESS_CACHE") or "~/.cache/jaxcompress")


def expand(path: str | os.PathLike) -> Path:
    """Puts a home folder in the place of `~` or `~user`.

    If there is no such user, the path stays as it is; `Path.expanduser` would raise.
    """
    return Path(os.path.expanduser(path))


def find_file(path: str, hint: str) -> Path:
    """Finds a file: `path` itself, or else under `$JAXCOMPRESS_DATA`, or else in the cache.

    A path may go on inside a .zip: `glove.6B.zip/glove.6B.300d.txt`.

    Args:
        path: absolute, or relative to any of these places.
        hint: the end of the error: what was expected, and how to get it.

    Raises:
        InputError: if nothing is there; it names the paths that were looked at.
    """
    return _find(path, hint, "file", lambda place: place.is_file() or _is_in_zip(place))


def find_folder(path: str, hint: str) -> Path:
    """Finds a folder as `find_file` finds a file."""
    return _find(path, hint, "folder", Path.is_dir)


def find_either(path: str, hint: str) -> Path:
    """Finds a file or a folder as `find_file` finds a file."""
    return _find(path, hint, "file or folder", lambda place: place.exists() or _is_in_zip(place))


def _find(path: str, hint: str, kind: str, is_kind: Callable[[Path], bool]) -> Path:
    places = [expand(path)]
    if not places[0].is_absolute():
        if root := os.environ.get("JAXCOMPRESS_DATA"):
            places.append(expand(root) / path)
        places.append(cache_dir() / path)
    for place in places:
        if is_kind(place):
            return place
        if place.exists():
            found = "folder" if place.is_dir() else "file"
            raise InputError(f"{place} is a {found}; expected a {kind}.")
    looked = ", ".join(map(str, places))
    raise InputError(f"no {kind} {path}; looked at {looked}. {hint}")


def _is_in_zip(path: Path) -> bool:
    return archive_and_member(path)[1] is not None


def archive_and_member(path: Path) -> tuple[Path, str | None]:
    """Takes `archive.zip/member` apart if the archive exists; any other path gives (path, None)."""
    for parent in path.parents:
        if parent.suffix == ".zip" and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return path, None


@contextlib.contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """Opens a plain file, a .gz, or a member of a .zip: the one that is named, or the only one.

    Raises:
        InputError: if it cannot be read, also later while it is read; or if several members are
            there and none of them is named.
    """
    archive, member = archive_and_member(path)
    try:
        if archive.suffix == ".gz":
            with gzip.open(archive) as stream:
                yield stream
        elif archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as bundle:
                names = [n for n in bundle.namelist() if not n.endswith("/")]
                if member is None and len(names) == 1:
                    member = names[0]
                if member not in names:
                    example = names[0] if names else "FILE"
                    raise InputError(
                        f"{archive}: name one of its files, as in {archive}/{example}; "
                        f"it holds {', '.join(names) or 'none'}."
                    )
                with bundle.open(member) as stream:
                    yield stream
        else:
            with open(archive, "rb") as stream:
                yield stream
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise InputError(f"{archive}: cannot be read ({error}).") from None
