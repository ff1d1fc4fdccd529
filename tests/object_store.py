"""An object store in a folder: what `gs://` reaches in a test."""

import contextlib
import os
from pathlib import Path
from unittest import mock

from etils import epath
from etils.epath.testing import mock_epath


def _local(root: Path, path: str | os.PathLike) -> str:
    return os.fspath(path).replace("gs://", f"{root}/")


@contextlib.contextmanager
def object_store(root: Path):
    """Makes `gs://BUCKET/...` the files of `ROOT/BUCKET/...`, with the rules of an object store.

    Nothing can be appended to, what is written appears when it is closed, and folders need not be
    made. Orbax reaches its arrays by another way, which is led to the same files.
    """

    def on_files(original, path, *args, **kwargs):
        return original(_local(root, path), *args, **kwargs)

    def on_two(original, path, target, **kwargs):
        return original(_local(root, path), _local(root, target), **kwargs)

    def opened(original, path, mode):
        assert mode.strip("bt") in ("r", "w"), f"an object store has no mode {mode}"
        file = _local(root, path)
        if mode.startswith("w"):
            os.makedirs(os.path.dirname(file), exist_ok=True)
        return original(file, mode)

    def glob(original, path):
        return [name.replace(f"{root}/", "gs://") for name in original(_local(root, path))]

    def arrays(path):
        return {"driver": "file", "path": _local(root, path)}

    utils = "orbax.checkpoint._src.path.gcs_utils"
    one = ("exists", "isdir", "listdir", "makedirs", "mkdir", "remove", "rmtree", "stat", "walk")
    with (
        mock_epath(
            open=opened, glob=glob, rename=on_two, replace=on_two, copy=on_two,
            **dict.fromkeys(one, on_files),
        ),
        mock.patch("etils.epath.gpath._is_tf_installed", return_value=False),
        mock.patch(f"{utils}.get_kvstore_for_gcs", arrays),
        mock.patch(f"{utils}.is_hierarchical_namespace_enabled", return_value=False),
    ):  # fmt: skip
        yield epath.Path("gs://bucket")
