"""Files as they are left on the disk: their permissions, and where a path leads."""

import os
from pathlib import Path

import numpy as np
import pytest

import jaxcompress
from jaxcompress import Codes, SparseAnchors
from jaxcompress.codes.checkpoint import save_artefact
from jaxcompress.data import read_vectors
from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.workdir import opened, read_config
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.places import as_path
from jaxcompress.storage.tensors import read_tensors, write_tensors


def write_text(path):
    with atomic_write(path) as partial:
        partial.write_text("new")


def write_arrays(path):
    write_tensors(path, {"x": np.ones(3, np.float32)}, "test", {})


def test_the_same_tensors_and_strings_are_the_same_bytes(tmp_path):
    strings = {f"name {i} of ö\n": str(i) for i in range(9)}
    for i in range(3):
        write_tensors(tmp_path / f"{i}", {"x": np.ones(3, np.float32)}, "test", strings)
    first, *others = (file.read_bytes() for file in tmp_path.iterdir())
    assert others == [first, first]
    assert read_tensors(tmp_path / "0", ("test",))[1].items() >= strings.items()


def mode_of(path):
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("write", [write_text, write_arrays])
def test_a_file_has_the_permissions_that_open_would_leave(tmp_path, monkeypatch, write):
    """And the umask is not set even for a moment: other threads make files too."""
    before = os.umask(0o027)
    try:
        (tmp_path / "plain").write_text("")
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", None)
            write(tmp_path / "new")
            (tmp_path / "old").write_text("")
            (tmp_path / "old").chmod(0o604)
            write(tmp_path / "old")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new") == mode_of(tmp_path / "plain") == 0o640
    assert mode_of(tmp_path / "old") == 0o604
    assert (tmp_path / "old").stat().st_size > 0


CODES = Codes(np.array([[0], [1]]), np.array([[[1.0], [2.0]]], np.float32), ["man", "king"])
ANCHORS = SparseAnchors.from_csr(np.eye(2), np.ones((2, 3)))


@pytest.mark.parametrize(
    ("write", "names", "read"),
    [
        (lambda: CODES.save("~/a.safetensors"), ["a.safetensors"],
         lambda: jaxcompress.load_codes("~/a.safetensors")["king"]),
        (lambda: CODES.save_text("~/a"), ["a.codebook.npy", "a.codes"],
         lambda: jaxcompress.load("~/a.codes")["king"]),
        (lambda: CODES.to_word2vec("~/a.txt"), ["a.txt"],
         lambda: read_vectors("~/a.txt").rows[1]),
        (lambda: ANCHORS.save("~/a.safetensors"), ["a.safetensors"],
         lambda: jaxcompress.load_anchors("~/a.safetensors")[1]),
        (lambda: save_artefact("~/run", CODES), ["run"],
         lambda: jaxcompress.load("~/run")["king"]),
    ],
    ids=["codes", "text", "word2vec", "anchors", "workdir"],
)  # fmt: skip
def test_a_tilde_is_the_home_folder_wherever_a_path_is_taken(
    tmp_path, monkeypatch, write, names, read
):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(elsewhere)
    write()
    assert sorted(path.name for path in home.iterdir()) == names
    assert len(read()) in (1, 3)
    assert not list(elsewhere.iterdir())


def test_a_workdir_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with opened("~/runs/one", RunConfig(seed=4), "data") as path:
        assert path == tmp_path / "runs" / "one"
    assert read_config("~/runs/one", RunConfig).seed == 4
    assert not (tmp_path / "~").exists()
    assert as_path("~no such user/x") == Path("~no such user/x")
