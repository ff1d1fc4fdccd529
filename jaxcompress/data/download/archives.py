"""Unpacks .zip and .tar.gz files that are not to be trusted; what comes is whole or not there."""

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

_DAMAGES = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, RuntimeError),  # RuntimeError: a password is asked for
)


_OF_ITS_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


class _Unusable(Exception):
    """An archive that cannot be unpacked, and why."""


def unpack(archive: Path, targets: Sequence[str], folder: Path, *, keep: bool = False) -> None:
    """Unpacks under a temporary name in `folder`, then renames the top folders and files.

    Args:
        archive: .zip, .tar or .tar.gz.
        targets: paths that must be in it. Each top folder or file of theirs is renamed into
            `folder`; nothing that is there already is replaced.
        folder: of the data. One process at a time.
        keep: whether the archive stays. Otherwise it is removed in the end, also where it is no
            good, so that the next run fetches it anew; not where the disk is full.

    Raises:
        InputError: where it is corrupt, lacks a target, or holds paths or links that climb out,
            devices, or in a .zip any link; nothing comes of it then.
        DiskError: where the disk is full.
    """
    temporary = folder / f".{archive.name.lstrip('.')}.unpacking"
    _remove(temporary)  # of a run that was killed
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
        end = "" if keep else ", and it is removed"
        raise InputError(f"{archive}: {error}; nothing was unpacked{end}.") from None
    finally:
        _remove(temporary)
    if not keep:
        archive.unlink()


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _extract(archive: Path, folder: Path) -> None:
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
        raise _Unusable(f"refused, {error}") from None
    except OSError as error:
        if error.errno is None or error.errno in _OF_ITS_NAMES:  # None: how gzip says it
            raise _corrupt(error) from None
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskError(
            f"{folder.parent}: the disk is full while {archive.name} is unpacked"
            f"{_unpacked_size(archive)}; nothing is left of it but the archive. Make room, and "
            "run the same command again."
        ) from None
    except _DAMAGES as error:
        raise _corrupt(error) from None


def _corrupt(error: Exception) -> _Unusable:
    reason = str(error).split("\n")[0].rstrip(":")
    return _Unusable(f"corrupt ({reason})")


def _check_zip_entry(info: zipfile.ZipInfo) -> None:
    """As tarfile's data filter does, which zipfile has not."""
    _check_name(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where it was not made on Unix
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _Unusable(f"refused, {info.filename!r} is a link or a device")


def _check_name(name: str) -> None:
    path = PureWindowsPath(name)  # its rules take in those of Unix
    if path.drive or path.root or ".." in path.parts:
        raise _Unusable(f"refused, {name!r} leads out of the folder")


def _unpacked_size(archive: Path) -> str:
    if archive.suffix != ".zip":
        return ""
    with zipfile.ZipFile(archive) as bundle:
        size = sum(info.file_size for info in bundle.infolist())
    return f", {size / 1e6:,.1f} MB in all"
