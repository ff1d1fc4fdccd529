"""The download command against a server on loopback; nothing here needs the internet."""

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pooch
import pytest
from downloads import packed, serving, tarred

from jaxcompress.data.download import command, sources, transfer
from jaxcompress.data.download.command import main
from jaxcompress.data.download.sources import DataSet, File

ROOT = Path(__file__).parents[2]
WHOLE = bytes(range(256)) * 40  # 10,240 bytes
WHOLE_HASH = hashlib.sha256(WHOLE).hexdigest()


@pytest.fixture
def server():
    with serving() as some:
        yield some


@pytest.fixture
def other():
    with serving() as some:
        yield some


@pytest.fixture
def offer(monkeypatch):
    """Makes the command know one data set, `toy`, of these mirrors."""

    def _offer(*mirrors, name="toy.bin", sha256=WHOLE_HASH, unpacked=()):
        file = File(name, mirrors, sha256, None, unpacked)
        toy = DataSet("toy", "a toy", name, "none", (file,))
        monkeypatch.setattr(sources, "known_data_sets", lambda: {"toy": toy})

    return _offer


@pytest.fixture
def run(tmp_path, capsys):
    """Runs the command; gives its status, and what it printed in all."""

    def _run(name="toy"):
        status = main([name, "--to", str(tmp_path / "data")])
        out, err = capsys.readouterr()
        return status, out + err

    return _run


def left(tmp_path):
    """What lies in the folder of the data, but for locks."""
    return sorted(p.name for p in (tmp_path / "data").iterdir() if p.suffix != ".lock")


def part_of(tmp_path):
    (part,) = (tmp_path / "data").glob(".*.coming/*.part")
    return part


def offer_archive(server, offer, content, name, unpacked):
    server.files[name] = content
    digest = hashlib.sha256(content).hexdigest()
    offer(server.url(name), name=name, sha256=digest, unpacked=unpacked)


def test_a_file_is_fetched_once_and_then_found(server, offer, run, tmp_path):
    server.files["a"] = WHOLE
    offer(server.url("a"))
    status, said = run()
    assert status == 0
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE
    assert left(tmp_path) == ["toy.bin"]
    status, said = run()
    assert (status, len(server.requests)) == (0, 1)
    assert said == f"toy is there already: {tmp_path / 'data' / 'toy.bin'}\n"


def test_of_a_file_without_a_known_hash_size_and_hash_are_printed(server, offer, run):
    server.files["a"] = WHOLE
    offer(server.url("a"), sha256=None)
    assert f"10,240 bytes, sha256 {WHOLE_HASH}; no" in run()[1]


def test_a_wrong_hash_names_both_and_leaves_nothing(server, offer, run, tmp_path):
    server.files["a"] = b"other"
    offer(server.url("a"))
    status, said = run()
    assert status == 1
    error = said.splitlines()[-1]
    assert error.startswith(f"error: toy.bin was not fetched: {server.url('a')}: SHA256 hash")
    assert WHOLE_HASH in error
    assert hashlib.sha256(b"other").hexdigest() in error
    assert error.endswith("what came was removed.")
    assert left(tmp_path) == []


def test_after_a_wrong_hash_the_next_mirror_is_tried(server, other, offer, run, tmp_path):
    server.files["a"], other.files["a"] = b"other", WHOLE
    offer(server.url("a"), other.url("a"))
    status, said = run()
    assert status == 0
    assert "trying the next mirror" in said
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE


def test_a_transfer_that_is_cut_off_goes_on_with_the_bytes_that_are_missing(
    server, offer, run, tmp_path
):
    server.files["a"], server.cut = WHOLE, 4000
    offer(server.url("a"))
    status, said = run()
    assert status == 1
    assert said.splitlines()[-1] == (
        f"error: toy.bin was not fetched: {server.url('a')}: cut off after 4,000 of 10,240 bytes "
        "(the connection was closed); what came is kept, and the same command goes on from there."
    )
    assert part_of(tmp_path).read_bytes() == WHOLE[:4000]
    assert "toy.bin" not in left(tmp_path)
    server.cut = None
    assert run()[0] == 0
    assert server.requests == [("a", None, None), ("a", "bytes=4000-", '"1"')]
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE
    assert left(tmp_path) == ["toy.bin"]


def test_a_file_that_has_changed_since_comes_whole(server, offer, run, tmp_path):
    server.files["a"], server.cut = b"x" * 5000, 4000
    offer(server.url("a"))
    run()
    server.files["a"], server.cut, server.etag = WHOLE, None, '"2"'
    assert run()[0] == 0
    assert server.requests[1] == ("a", "bytes=4000-", '"1"')
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("size", "change"),
    [(10_240, {}), (3000, {}), (5000, {"heeds": False, "etag": '"2"'}), (5000, {"off": 1})],
    ids=["of another length", "shorter than the part", "of another ETag", "another range"],
)
def test_a_range_that_does_not_fit_is_not_taken(server, offer, run, tmp_path, size, change):
    server.files["a"], server.cut = b"x" * 5000, 4000
    offer(server.url("a"), sha256=None)
    run()
    server.files["a"], server.cut = WHOLE[:size], None
    for name, value in change.items():
        setattr(server, name, value)
    assert run()[0] == 0
    assert [asked for _, asked, _ in server.requests] == [None, "bytes=4000-", None]
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE[:size]


def test_a_part_that_is_whole_is_not_asked_for_again(server, offer, run, tmp_path):
    server.files["a"], server.cut = WHOLE, 4000
    offer(server.url("a"))
    run()
    part_of(tmp_path).write_bytes(WHOLE)  # as of a run killed before it could rename it
    assert run()[0] == 0
    assert len(server.requests) == 1
    assert left(tmp_path) == ["toy.bin"]


def test_a_server_without_ranges_sends_the_file_anew(server, offer, run, tmp_path):
    server.files["a"], server.cut, server.ranges = WHOLE, 4000, False
    offer(server.url("a"))
    run()
    server.cut = None
    assert run()[0] == 0
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE


def test_without_a_validator_nothing_is_kept(server, offer, run, tmp_path):
    server.files["a"], server.cut, server.etag = WHOLE, 4000, None
    offer(server.url("a"))
    assert "nothing is kept, and the next run begins anew" in run()[1]
    assert left(tmp_path) == []


def test_a_transfer_of_unknown_length_goes_on_too(server, offer, run, tmp_path):
    server.files["a"], server.cut, server.chunked = WHOLE, 4000, True
    offer(server.url("a"))
    assert "cut off after 4,000 bytes (" in run()[1]
    server.cut = None
    assert run()[0] == 0
    assert [asked for _, asked, _ in server.requests] == [None, "bytes=4000-"]
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE


def test_what_is_no_file_is_not_taken(server, offer, run, tmp_path):
    server.files["a"], server.content_type = b'{"error": "busy"}', "application/json"
    offer(server.url("a"), sha256=None)
    assert "a web page or a message came instead of the file" in run()[1]
    server.files["a"], server.content_type = b"", "text/csv"
    assert "(nothing came); nothing is kept, and the next run begins anew" in run()[1]
    server.files["a"], server.headers = b"packed", {"Content-Encoding": "gzip"}
    assert "it came encoded (gzip), which was not asked for" in run()[1]
    assert left(tmp_path) == []


@pytest.mark.parametrize("location", ["/a", "http://[::1/f"], ids=["a loop", "no address"])
def test_a_redirect_that_leads_nowhere_is_one_line(server, offer, run, location):
    server.files["a"], server.status, server.headers = b"", 302, {"Location": location}
    offer(server.url("a"))
    status, said = run()
    assert status == 1
    assert said.splitlines()[-1].startswith("error: toy.bin was not fetched: ")
    assert "what came was removed" not in said


def test_a_run_stopped_while_the_hash_is_checked_keeps_what_came(
    server, offer, run, monkeypatch, tmp_path
):
    server.files["a"] = WHOLE
    offer(server.url("a"))

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pooch.core, "hash_matches", stopped)
        assert run()[0] == 130
    assert part_of(tmp_path).read_bytes() == WHOLE
    assert run()[0] == 0
    assert len(server.requests) == 1
    assert left(tmp_path) == ["toy.bin"]


def test_an_archive_that_was_there_is_used_and_kept(server, offer, run, tmp_path):
    content = packed([("toy/a.txt", "some")])
    offer_archive(server, offer, content, "toy.zip", ("toy/a.txt",))
    own = tmp_path / "data" / "toy.zip"
    own.parent.mkdir()
    own.write_bytes(b"of one's own")
    status, said = run()
    assert status == 2
    assert f"{own} is there, but its SHA-256 is not the expected" in said
    assert own.read_bytes() == b"of one's own"
    own.write_bytes(content)
    assert run()[0] == 0
    assert server.requests == []
    assert left(tmp_path) == ["toy", "toy.zip"]
    assert (tmp_path / "data" / "toy" / "a.txt").read_text() == "some"


def test_a_server_that_falls_silent_is_left(server, offer, run, monkeypatch, tmp_path):
    monkeypatch.setattr(transfer, "_TIMEOUT", 0.2)
    server.files["a"] = WHOLE
    server.gate.clear()
    offer(server.url("a"))
    assert "cut off after 10,239 of 10,240 bytes (timed out); what came is kept" in run()[1]
    assert part_of(tmp_path).read_bytes() == WHOLE[:-1]


def test_where_the_first_mirror_is_down_the_next_one_is_asked(server, offer, run, tmp_path):
    with serving() as gone:
        down = gone.url("a")
    server.files["a"] = WHOLE
    offer(down, server.url("a"))
    status, said = run()
    assert status == 0
    assert f"warning: {down}: Connection refused; trying the next mirror." in said
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE


def test_a_part_of_one_mirror_outlives_another_and_goes_when_the_file_is_whole(
    server, other, offer, run, tmp_path
):
    server.files["a"], server.cut = WHOLE, 4000
    offer(server.url("a"), other.url("a"))
    assert run()[0] == 1
    assert part_of(tmp_path).read_bytes() == WHOLE[:4000]
    other.files["a"] = WHOLE
    assert run()[0] == 0
    assert left(tmp_path) == ["toy.bin"]


def test_where_all_mirrors_fail_each_is_named_with_its_reason(server, other, offer, run, tmp_path):
    other.files["a"], other.content_type = b"<html>", "text/html"
    offer(server.url("a"), other.url("a"))
    status, said = run()
    assert status == 1
    assert said.splitlines()[-1] == (
        f"error: toy.bin was not fetched: {server.url('a')}: HTTP 404 Not Found; "
        f"{other.url('a')}: a web page or a message came instead of the file."
    )
    assert left(tmp_path) == []


class Stopping(io.FileIO):
    """A file that raises after so many bytes."""

    def __init__(self, path, mode, after, error):
        super().__init__(path, mode)
        self.after, self.error = after, error

    def write(self, chunk):
        super().write(chunk[: max(self.after, 0)])
        self.after -= len(chunk)
        if self.after < 0:
            raise self.error


def stop_writing(monkeypatch, after, error):
    monkeypatch.setattr(
        transfer, "open", lambda p, mode: Stopping(p, mode, after, error), raising=False
    )


def test_a_full_disk_says_what_is_needed_and_keeps_what_came(
    server, other, offer, run, monkeypatch, tmp_path
):
    server.files["a"] = other.files["a"] = WHOLE * 100  # 1.024 MB
    offer(server.url("a"), other.url("a"), sha256=None)
    with monkeypatch.context() as patch:
        stop_writing(patch, 200_000, OSError(errno.ENOSPC, "No space left on device"))
        status, said = run()
    part = part_of(tmp_path)
    assert status == 1
    assert said.splitlines()[-1] == (
        f"error: {tmp_path / 'data'}: the disk is full; 0.8 MB more are needed; the 0.2 MB that "
        f"came are kept in {part.parent.name}. Make room, and the same command goes on from there."
    )
    assert "toy.bin" not in left(tmp_path)
    assert other.requests == []
    assert run()[0] == 0
    assert (tmp_path / "data" / "toy.bin").read_bytes() == WHOLE * 100
    assert server.requests[1][1] == "bytes=200000-"


def test_an_interrupted_run_keeps_what_came(server, offer, run, monkeypatch, tmp_path):
    server.files["a"] = WHOLE
    offer(server.url("a"))
    with monkeypatch.context() as patch:
        stop_writing(patch, 1000, KeyboardInterrupt())
        status, said = run()
    assert status == 130
    assert said.splitlines()[-1].startswith("interrupted; what came is kept")
    assert "toy.bin" not in left(tmp_path)
    assert run()[0] == 0
    assert server.requests[1][1] == "bytes=1000-"


def test_two_runs_fetch_once(server, offer, capsys, tmp_path):
    offer_archive(server, offer, packed([("toy/a.txt", "some")]), "toy.zip", ("toy/a.txt",))
    server.gate.clear()
    runs = [threading.Thread(target=command.download, args=("toy", tmp_path)) for _ in range(2)]
    for some in runs:
        some.start()
    said, end = "", time.monotonic() + 10
    while "another run is fetching toy; waiting" not in said and time.monotonic() < end:
        said += capsys.readouterr().out
        time.sleep(0.01)
    assert "waiting" in said
    assert not (tmp_path / "toy").exists()
    server.gate.set()
    for some in runs:
        some.join()
    assert len(server.requests) == 1
    assert (tmp_path / "toy" / "a.txt").read_text() == "some"


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_is_unpacked_and_goes(server, offer, run, tmp_path, kind):
    names = ("toy/a.txt", "toy/sub/b.txt")
    content = (
        packed((name, name) for name in names)
        if kind == "zip"
        else tarred(*((name, name, "") for name in names))
    )
    offer_archive(server, offer, content, f"toy.{kind}", names[:1])
    assert run()[0] == 0
    assert left(tmp_path) == ["toy"]
    for name in names:
        assert (tmp_path / "data" / name).read_text() == name
    assert run()[0] == 0
    assert len(server.requests) == 1


def test_a_bad_archive_is_one_line_and_removed(server, offer, run, tmp_path):
    offer_archive(server, offer, packed([("../out", "")]), "toy.zip", ("toy/a.txt",))
    status, said = run()
    assert status == 2
    assert said.splitlines()[-1] == (
        f"error: {tmp_path / 'data' / '.toy.zip'}: refused: '../out' leads out of the folder; "
        "nothing was unpacked, and the archive was removed."
    )
    assert left(tmp_path) == []


def test_a_disk_that_is_full_while_unpacking_leaves_the_archive(
    server, offer, run, monkeypatch, tmp_path
):
    content = packed([("toy/a.txt", "x" * 2_000_000)])
    offer_archive(server, offer, content, "toy.zip", ("toy/a.txt",))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        status, said = run()
    assert status == 1
    assert "the disk is full; .toy.zip cannot be unpacked (2.0 MB in all), and only the" in said
    assert left(tmp_path) == [".toy.zip"]
    assert run()[0] == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_in_the_way_is_named(offer, run, tmp_path, kind):
    offer("http://127.0.0.1:9/toy.zip", name="toy.zip", unpacked=("toy/a.txt",))
    (tmp_path / "data").mkdir()
    if kind == "folder":
        (tmp_path / "data" / "toy").mkdir()
    else:
        (tmp_path / "data" / "toy").write_text("")
    status, said = run()
    assert status == 2
    data = tmp_path / "data"
    assert f"{data / 'toy'} is there, but {data / 'toy' / 'a.txt'} is not; move it away" in said


def test_a_folder_that_cannot_be_made_is_named(offer, tmp_path, capsys):
    offer("http://127.0.0.1:9/a")
    (tmp_path / "file").write_text("")
    assert main(["toy", "--to", str(tmp_path / "file" / "data")]) == 2
    assert "cannot be used (Not a directory); give another" in capsys.readouterr().err


@pytest.fixture
def run_module(tmp_path):
    """Runs `jaxcompress download` in a process in which jax cannot be imported."""
    (tmp_path / "jax.py").write_text('raise AssertionError("jax was imported")')

    def _run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "jaxcompress.data.download", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "100"},
            capture_output=True,
            text=True,
        )

    return _run


def test_the_module_prints_its_usage_without_jax(run_module):
    done = run_module("--help")
    assert (done.returncode, done.stderr) == (0, "")
    usage, _, options = done.stdout.partition("\n")
    assert usage == "usage: jaxcompress download [-h] [--to DIR] [--list] [NAME]"
    assert "the folder of the data; by default $JAXCOMPRESS_DATA" in options


def test_the_module_lists_what_there_is_without_jax(run_module):
    done = run_module("--list")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["name", "size,", "MB", "lands", "as", "terms"]
    row = next(line for line in lines if line.startswith("ml-1m "))
    assert " ".join(row.split()) == "ml-1m 5.9 ml-1m/ratings.dat GroupLens's, research use"
    assert "Magazine_Subscriptions" in done.stdout


def test_the_module_exits_with_the_status_of_the_command(run_module):
    done = run_module()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: no NAME given; --list shows the names.\n"


def test_a_command_line_without_a_name_says_so(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err == "error: no NAME given; --list shows the names.\n"
