"""Where data is looked for, how it is opened, and where caches are kept."""

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
    """`$JAXCOMPRESS_CACHE`, or else `~/.cache/jaxcompress`."""
    return expand(os.environ.get("JAXCOMPRESS_CACHE") or "~/.cache/jaxcompress")


def expand(path: str | os.PathLike) -> Path:
    """`~/a` and `~user/a` as they are meant; the latter as it stands where there is no such user,
    where `Path.expanduser` raises."""
    return Path(os.path.expanduser(path))


def find(path: str, where_to_get_it: str) -> Path:
    """Finds a file: `path` itself, or else under `$JAXCOMPRESS_DATA`, or else the cache.

    A path may go on inside a .zip: `glove.6B.zip/glove.6B.300d.txt`.

    Args:
        path: absolute, or relative to any of these places.
        where_to_get_it: the end of the error's line.

    Raises:
        InputError: where nothing is there; it names the paths looked at.
    """
    return _find(path, where_to_get_it, "file", lambda p: p.is_file() or bool(split_zip(p)[1]))


def find_folder(path: str, where_to_get_it: str) -> Path:
    """Finds a folder as `find` finds a file."""
    return _find(path, where_to_get_it, "folder", Path.is_dir)


def find_either(path: str, where_to_get_it: str) -> Path:
    """Finds a file or a folder."""
    return _find(
        path, where_to_get_it, "file or folder", lambda p: p.exists() or bool(split_zip(p)[1])
    )


def _find(path: str, where_to_get_it: str, kind: str, is_kind: Callable[[Path], bool]) -> Path:
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
    raise InputError(f"no {kind} {path}; looked at {looked}. {where_to_get_it}")


def split_zip(path: Path) -> tuple[Path, str | None]:
    """Splits `archive.zip/member` where the archive exists; otherwise `(path, None)`."""
    for parent in path.parents:
        if parent.suffix == ".zip" and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return path, None


@contextlib.contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """Opens a plain file, a .gz, or the only (or the named) member of a .zip."""
    archive, member = split_zip(path)
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
