"""Fetches data sets to where the readers look for them, and shows which there are.

Mirrors are tried in order, hashes are checked, archives are unpacked. After a transfer that broke
off, the same command goes on where it stopped.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import filelock
import pooch

from jaxcompress.data.download.archives import unpack
from jaxcompress.data.download.sources import File, find_data_set, list_data_sets
from jaxcompress.data.download.transfer import TransferError, fetch
from jaxcompress.data.paths import cache_dir
from jaxcompress.errors import InputError
from jaxcompress.storage.places import expand


def download(name: str, to: str | os.PathLike | None = None) -> list[Path]:
    """Fetches a data set, unless it is there already.

    Args:
        name: one of `sources.known_data_sets()`.
        to: the folder of the data; None: `$JAXCOMPRESS_DATA`, or else the cache.

    Returns:
        The files, and the folders of unpacked archives.

    Raises:
        InputError: if the name is unknown, the folder cannot be used, or an archive is not what was
            expected.
        TransferError: if a file cannot be fetched.
    """
    data_set = find_data_set(name)
    folder = expand(to or os.environ.get("JAXCOMPRESS_DATA") or cache_dir())
    paths = [folder / target for file in data_set.files for target in file.targets]
    if all(path.exists() for path in paths):
        print(f"{name} is there already: {folder / data_set.lands}")
        return paths
    for file in data_set.files:
        _check_nothing_in_the_way(file, folder)
    _make_folder(folder)
    with _locked(folder / f".{name.replace(':', '-')}.lock", name):
        for file in data_set.files:
            if not all((folder / target).exists() for target in file.targets):
                _get(file, folder)
    print(f"{name} is in {folder / data_set.lands} ({data_set.description}; {data_set.terms}).")
    return paths


def _check_nothing_in_the_way(file: File, folder: Path) -> None:
    """Refuses a file or a folder that stands where an archive is unpacked, and is not of it."""
    for target in file.unpacked:
        top = folder / Path(target).parts[0]
        if top.exists() and not (folder / target).exists():
            raise InputError(
                f"{top} is there, but {folder / target} is not; move it away, or give another "
                "folder with --to DIR."
            )


def _make_folder(folder: Path) -> None:
    """Makes a folder, and checks that files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = None if os.access(folder, os.W_OK) else "not writable"
    except OSError as error:
        reason = error.strerror
    if reason:
        raise InputError(f"{folder} cannot be used ({reason}); give another folder with --to DIR.")


@contextlib.contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    """Holds a lock, so that a second run waits for the first and finds what it has fetched."""
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print(f"another run is fetching {name}; waiting for it.", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _get(file: File, folder: Path) -> None:
    """Fetches a file and unpacks it; an archive that the user has put there is used and kept."""
    path = given = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if given.exists():
        _check_given(given, file.sha256)
    else:
        if file.unpacked:
            path = given.with_name(f".{given.name}")  # a name that no user gives it
        size = "" if file.size is None else f", {file.size / 1e6:,.1f} MB"
        print(f"fetching {file.name}{size}", flush=True)
        if not path.exists():  # it does if a run ended before it was unpacked
            fetch(path, file.mirrors, file.sha256)
    if file.sha256 is None:
        digest = pooch.file_hash(str(path))
        print(
            f"{file.name}: {path.stat().st_size:,} bytes, sha256 {digest}; no hash is known to "
            "compare it with."
        )
    if file.unpacked:
        print(f"unpacking {file.name}", flush=True)
        unpack(path, file.unpacked, folder, keep=path == given)


def _check_given(path: Path, sha256: str | None) -> None:
    """Checks a file that the user has put there."""
    if sha256 is not None and pooch.file_hash(str(path)) != sha256:
        raise InputError(
            f"{path} is there, but its SHA-256 is not the expected {sha256}; move it away, or give "
            "another folder with --to DIR."
        )
    print(f"using {path}, which is there already", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit status: 1 if a transfer failed, 2 if the input is invalid, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="jaxcompress download", description="Fetches a data set.")
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="the data set; --list shows the names"
    )
    parser.add_argument(
        "--to",
        metavar="DIR",
        help="the folder of the data; by default $JAXCOMPRESS_DATA, or else the cache",
    )
    parser.add_argument("--list", action="store_true", help="list the data sets")
    arguments = parser.parse_args(argv)
    if arguments.list:
        print(list_data_sets())
        return 0
    try:
        if arguments.name is None:
            raise InputError("no NAME given; --list shows the names.")
        download(arguments.name, arguments.to)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (TransferError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what came is kept, and the same command goes on from there.",
              file=sys.stderr)  # fmt: skip
        return 130
    return 0
