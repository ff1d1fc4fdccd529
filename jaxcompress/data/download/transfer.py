"""Fetches one file over HTTP: tries mirrors in order, resumes, and checks the hash.

`pooch` keeps the file and checks its hash. The downloader that it calls is here, since its own
begins anew each time. What has come of a file lies in a folder `.NAME.coming` beside it: a
`HASH.part` for each mirror, and in `HASH.part.json` its size and validator, by which a server knows
whether the file is still the same. The rest is asked for with `If-Range` (RFC 9110, 13.1.5), so
that a file that has changed comes whole.
"""

import contextlib
import email.message
import errno
import http.client
import json
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pooch

from jaxcompress.bars import tqdm

_TIMEOUT = 30.0  # seconds to connect, or without a byte
_CHUNK = 1 << 18  # bytes read at a time
_HEADERS = {"User-Agent": "jaxcompress", "Accept-Encoding": "identity"}


class TransferError(Exception):
    """A transfer failed: one line, which the command prints before it exits with status 1."""


class DiskError(TransferError):
    """It failed at this end, so that no other mirror helps."""


def fetch(path: Path, mirrors: Sequence[str], sha256: str | None) -> None:
    """Fetches a file from the first mirror that gives it.

    Args:
        path: where the file is put once it is whole and its hash is right.
        mirrors: addresses, in the order in which they are tried.
        sha256: the hash of the file; None: it is not checked.

    Raises:
        TransferError: if none gives it; it names each mirror with the reason.
        DiskError: if the file cannot be written.
    """
    pooch.get_logger().setLevel("WARNING")  # the command announces files itself
    coming, reasons = path.with_name(f".{path.name}.coming"), []
    coming.mkdir(exist_ok=True)
    for url in mirrors:
        part = coming / f"{zlib.crc32(url.encode()):08x}.part"
        try:
            pooch.retrieve(url, sha256, path.name, coming, downloader=_Resuming(part))
        except DiskError:
            raise
        except TransferError as error:
            reason = str(error)
        except ValueError as error:  # pooch's way to say that the hash is wrong
            _forget(part)
            reason = f"{str(error).split('. ')[0]}; what came was removed"
        else:
            os.replace(coming / path.name, path)
            shutil.rmtree(coming)
            return
        reasons.append(f"{url}: {reason}")
        if len(reasons) < len(mirrors):
            print(f"warning: {reasons[-1]}; trying the next mirror.", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError):  # not empty: there is something to go on with
        coming.rmdir()
    raise TransferError(f"{path.name} was not fetched: {'; '.join(reasons)}.")


class _Resuming:
    """A downloader for pooch that goes on with a part."""

    def __init__(self, part: Path):
        self.part = part

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        _transfer(url, self.part)
        # A second name, so that a run stopped while the hash is computed still has the part.
        os.unlink(output_file)
        try:
            os.link(self.part, output_file)
        except OSError:  # not every file system has them
            os.replace(self.part, output_file)


class _Kept(NamedTuple):
    """What an earlier run has left.

    Attributes:
        come: bytes that have come.
        size: bytes of the whole file; None: not known.
        validator: what the server knows this version of the file by; empty: it told nothing.
    """

    come: int
    size: int | None
    validator: str


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write_note(part: Path, size: int | None, validator: str) -> None:
    _note(part).write_text(json.dumps({"size": size, "validator": validator}))


def _kept(part: Path) -> _Kept | None:
    try:
        return _Kept(part.stat().st_size, **json.loads(_note(part).read_text()))
    except (OSError, ValueError, TypeError):
        return None  # a part without its note is of no use


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _transfer(url: str, part: Path) -> None:
    """Fetches what `part` lacks."""
    kept = _kept(part)
    if kept is not None and kept.come == kept.size:
        return
    asked = {}
    if kept is not None and kept.come and kept.validator:
        asked = {"Range": f"bytes={kept.come}-", "If-Range": kept.validator}
    response = _open(url, asked)
    if response is not None:
        with response:
            whole = response.status == http.HTTPStatus.OK
            if whole or (asked and _goes_on(response.headers, kept)):
                _receive(response, part, None if whole else kept)
                return
            if not asked:
                raise TransferError(f"HTTP {response.status} {response.reason}")
    _forget(part)  # the range is not of the file that the part is of
    _transfer(url, part)


def _open(url: str, asked: Mapping[str, str]) -> http.client.HTTPResponse | None:
    """Opens an address; None if the file has no such range."""
    request = urllib.request.Request(url, headers={**_HEADERS, **asked})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if asked and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise TransferError(f"HTTP {error.code} {_one_line(error.reason)}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: of addresses
        raise TransferError(_reason(error)) from None
    if reason := _no_file(response.headers):
        response.close()
        raise TransferError(reason)
    return response


def _no_file(headers: email.message.Message) -> str | None:
    """Says why an answer is not the file that was asked for; None if it may be."""
    if headers.get_content_type() in ("text/html", "application/json"):
        return "a web page or a message came instead of the file"
    coding = headers.get("Content-Encoding", "identity")
    return None if coding == "identity" else f"it came encoded ({coding}), which was not asked for"


def _reason(error: Exception) -> str:
    """Says in one line what went wrong, in the words of the system if it has some."""
    cause = getattr(error, "reason", error)
    return _one_line(getattr(cause, "strerror", None) or cause or type(cause).__name__)


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


def _goes_on(headers: Mapping[str, str], kept: _Kept) -> bool:
    """Tells whether an answer is the range that was asked for, of the same file."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    name = "ETag" if kept.validator.startswith('"') else "Last-Modified"
    return (
        found is not None
        and int(found[1]) == kept.come
        and (kept.size is None or found[2] in ("*", str(kept.size)))
        and headers.get(name, kept.validator) == kept.validator
    )


def _receive(response: http.client.HTTPResponse, part: Path, kept: _Kept | None) -> None:
    """Writes what comes to the end of `part`, or anew if nothing is kept.

    Raises:
        TransferError: if it is cut off; what came is kept if a later run can go on with it.
        DiskError: if it cannot be written.
    """
    if kept is None:
        kept = _Kept(0, response.length, _validator(response.headers))
    come, size, validator = kept
    if size is None and response.length is not None:
        size = come + response.length  # a range may tell what an answer in chunks did not
    reason = None if size is None else "the connection was closed"  # if fewer bytes come
    try:
        if not come:
            part.unlink(missing_ok=True)
            _write_note(part, size, validator)
        with (
            open(part, "ab") as out,
            tqdm(
                total=size, initial=come, unit="B", unit_scale=True, disable=None, leave=False
            ) as bar,
        ):
            for chunk in _chunks(response):
                out.write(chunk)
                bar.update(len(chunk))
    except TransferError as error:
        reason = str(error)
    except OSError as error:
        raise _disk_error(error, part, size) from None
    come = part.stat().st_size
    if come and (come == size or reason is None):
        _write_note(part, come, validator)
        return
    if not come and not size:
        reason = "nothing came"
    of = "" if size is None else f" of {size:,}"
    end = "what came is kept, and the same command goes on from there"
    if not (come and validator):
        _forget(part)
        end = "nothing is kept, and the next run begins anew"
    raise TransferError(f"cut off after {come:,}{of} bytes ({reason}); {end}")


def _validator(headers: Mapping[str, str]) -> str:
    """Finds by what a later answer is known to be of the same file; a weak ETag does not serve."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read1(_CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(_reason(error)) from None


def _disk_error(error: OSError, part: Path, size: int | None) -> DiskError:
    """Says that the disk is full and how much is missing, or why else a part cannot be written."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return DiskError(f"{part} cannot be written ({_reason(error)}).")
    come = part.stat().st_size if part.exists() else 0
    needed = "" if size is None else f" {(size - come) / 1e6:,.1f} MB more are needed;"
    return DiskError(
        f"{part.parent.parent}: the disk is full;{needed} the {come / 1e6:,.1f} MB that came are "
        f"kept in {part.parent.name}. Make room, and the same command goes on from there."
    )
