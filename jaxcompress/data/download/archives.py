"""Unpacks .zip and .tar.gz files that are not to be trusted: wholly, or not at all."""

import errno
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from jaxcompress.data.download.transfer import DiskError
from jaxcompress.errors import InputError

_DAMAGES = (  # RuntimeError: a password is needed
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, RuntimeError),
)
# What the names inside an archive can cause, and not the disk.
_BAD_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


class _Unusable(Exception):
    """The archive cannot be unpacked; the message says why."""


def unpack(archive: Path, targets: Sequence[str], folder: Path, *, keep: bool = False) -> None:
    """Unpacks under a temporary name in `folder`, then renames the top folders and files.

    Args:
        archive: .zip, .tar or .tar.gz.
        targets: paths that must be in it. Their top folders and files are renamed into `folder`;
            nothing that is there already is replaced.
        folder: the folder of the data; only one process at a time may unpack into it.
        keep: whether the archive stays. Otherwise it is removed in the end; also if it cannot be
            used, so that the next run fetches it anew, but not if the disk is full.

    Raises:
        InputError: if it is corrupt, lacks a target, or holds devices, paths or links that lead
            out of the folder, or, in a .zip, any links; nothing is unpacked then.
        DiskError: if the disk is full.
    """
    temporary = folder / f".{archive.name.lstrip('.')}.unpacking"
    _remove(temporary)  # what a run that was killed has left
    try:
        _extract(archive, temporary)
        for target in targets:
            if not (temporary / target).exists():
                raise _Unusable(f"holds no {target}")
        for top in dict.fromkeys(Path(target).parts[0] for target in targets):
            if not (folder / top).exists():
                os.replace(temporary / top, folder / top)
    except _Unusable as error:
        if not keep:
            archive.unlink()
        end = "" if keep else ", and the archive was removed"
        raise InputError(f"{archive}: {error}; nothing was unpacked{end}.") from None
    finally:
        _remove(temporary)
    if not keep:
        archive.unlink()


def _remove(folder: Path) -> None:
    """Removes a folder with all that is in it, if there is one."""
    if folder.exists():
        shutil.rmtree(folder)


def _extract(archive: Path, folder: Path) -> None:
    """Extracts everything, unless it is corrupt or leads out of the folder."""
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as bundle:
                for info in bundle.infolist():
                    _check_zip_entry(info)
                bundle.extractall(folder)
        else:
            with tarfile.open(archive) as bundle:
                for member in bundle:
                    _check_name(member.name)
                    bundle.extract(member, folder, filter="data")
    except tarfile.FilterError as error:  # links that lead out, devices
        raise _Unusable(f"refused: {error}") from None
    except OSError as error:
        if error.errno is None or error.errno in _BAD_NAMES:  # None: gzip's way to say corrupt
            raise _corrupt(error) from None
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskError(
            f"{folder.parent}: the disk is full; {archive.name} cannot be unpacked"
            f"{_unpacked_size(archive)}, and only the archive is kept. Make room, and run the same "
            "command again."
        ) from None
    except _DAMAGES as error:
        raise _corrupt(error) from None


def _corrupt(error: Exception) -> _Unusable:
    """Makes the error of a corrupt archive, in one line."""
    reason = str(error).split("\n")[0].rstrip(":")
    return _Unusable(f"corrupt ({reason})")


def _check_zip_entry(info: zipfile.ZipInfo) -> None:
    """Checks what tarfile's data filter checks; zipfile has no such filter."""
    _check_name(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 if it was not made on Unix
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _Unusable(f"refused: {info.filename!r} is a link or a device")


def _check_name(name: str) -> None:
    """Refuses a path that is absolute or climbs up."""
    path = PureWindowsPath(name)  # its rules include those of Unix
    if path.drive or path.root or ".." in path.parts:
        raise _Unusable(f"refused: {name!r} leads out of the folder")


def _unpacked_size(archive: Path) -> str:
    """Says how much room a .zip needs; a tar does not tell without being read through."""
    if archive.suffix != ".zip":
        return ""
    with zipfile.ZipFile(archive) as bundle:
        size = sum(info.file_size for info in bundle.infolist())
    return f" ({size / 1e6:,.1f} MB in all)"
