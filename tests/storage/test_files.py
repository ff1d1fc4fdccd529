"""Files as they are left on the disk: their permissions."""

import os

import numpy as np
import pytest

from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.tensors import write_tensors


def write_text(path):
    with atomic_write(path) as partial:
        partial.write_text("new")


def write_arrays(path):
    write_tensors(path, {"x": np.ones(3, np.float32)}, "test", {})


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
