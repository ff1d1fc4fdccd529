"""Where data are looked for, how their files are opened, and where caches are kept."""

import contextlib
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO

from jaxcompress.data.compression import decompressed, without_compression
from jaxcompress.errors import InputError
from jaxcompress.storage.places import expand


def cache_dir() -> Path:
    """Gives the folder of caches: `$JAXCOMPRESS_CACHE`, or else `~/.cache/jaxcompress`."""
    return expand(os.environ.get("JAXCOMPRESS_CACHE") or "~/.cache/jaxcompress")


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


def find_either(path: str, hint: str, kind: str = "file or folder") -> Path:
    """Finds a file or a folder as `find_file` finds a file; an error calls it `kind`."""
    return _find(path, hint, kind, lambda place: place.exists() or _is_in_zip(place))


def _find(path: str, hint: str, kind: str, is_kind: Callable[[Path], bool]) -> Path:
    if "://" in path:
        raise InputError(f"{path}: data are read from local files; copy it to one.")
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


def inner_name(path: Path) -> str:
    """Gives the name of what is inside of a file: `a.bin` for a.bin.gz, or a.zip with a.bin in it.

    Raises:
        InputError: if it is a .zip that cannot be read, or that holds several files.
    """
    archive, member = archive_and_member(path)
    if archive.suffix == ".zip":
        with _reading(archive), zipfile.ZipFile(archive) as bundle:
            return without_compression(Path(_choose_member(bundle, archive, member)).name)
    return without_compression(path.name)


def is_file(path: Path) -> bool:
    """Tells whether a file is there, or a member of a .zip."""
    archive, member = archive_and_member(path)
    if member is None:
        return path.is_file()
    with _reading(archive), zipfile.ZipFile(archive) as bundle:
        return member in bundle.namelist()


def is_plain(path: Path) -> bool:
    """Tells whether the bytes of a file are those that `open_binary` gives."""
    with open_binary(path) as stream:
        return isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO)


@contextlib.contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """Opens a plain file, a .gz, .bz2 or .xz, or a member of a .zip: the named one or the only one.

    A file whose name does not say so is known by its first bytes to be a .gz, .bz2 or .xz.

    Raises:
        InputError: if it cannot be read, also later while it is read; or if several members are
            there and none of them is named.
    """
    archive, member = archive_and_member(path)
    with _reading(archive), contextlib.ExitStack() as stack:
        if archive.suffix == ".zip":
            bundle = stack.enter_context(zipfile.ZipFile(archive))
            member = _choose_member(bundle, archive, member)
            stream = stack.enter_context(_open_member(bundle, archive, member))
            name = f"{archive}/{member}"
        else:
            stream = stack.enter_context(open(archive, "rb"))
            name = str(archive)
        yield stack.enter_context(decompressed(stream, name))


@contextlib.contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turns what may be raised while a file is read into one line."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise InputError(f"{archive}: cannot be read ({error}).") from None


def _choose_member(bundle: zipfile.ZipFile, archive: Path, member: str | None) -> str:
    """Gives the member that is named, or the only one; what macOS adds does not count."""
    every = [n for n in bundle.namelist() if not n.endswith("/")]
    names = [n for n in every if not n.startswith("__MACOSX/")]
    if member is None and len(names) == 1:
        return names[0]
    if member is None or member not in every:
        example = names[0] if names else "FILE"
        raise InputError(
            f"{archive}: name one of its files, as in {archive}/{example}; "
            f"it holds {', '.join(names) or 'none'}."
        )
    return member


def _open_member(bundle: zipfile.ZipFile, archive: Path, member: str) -> IO[bytes]:
    try:
        return bundle.open(member)
    except RuntimeError as error:  # it is encrypted, or compressed in a way Python does not know
        raise InputError(f"{archive}: cannot be read ({error}); unpack it first.") from None
