"""The names at the top of the package: what they are, and that they load nothing too early."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import jaxcompress
from jaxcompress import Codes, InputError, SparseAnchors

ROOT = Path(__file__).parents[1]


@pytest.fixture
def saved(tmp_path):
    """A file of codes and one of anchors, in a folder."""
    Codes(np.array([[0], [1]]), np.array([[[1.0], [2.0]]], np.float32), ["man", "king"]).save(
        tmp_path / "codes.safetensors"
    )
    transform = scipy.sparse.csr_matrix(np.array([[0.0, 3.0], [2.0, 0.0]]))
    anchors = SparseAnchors.from_csr(transform, np.array([[1.0], [10.0]], np.float32))
    anchors.save(tmp_path / "anchors.safetensors")
    return tmp_path


def test_codes_and_anchors_are_opened_by_functions_of_their_own(saved):
    codes = jaxcompress.load_codes(saved / "codes.safetensors")
    assert isinstance(codes, Codes)
    np.testing.assert_array_equal(codes["king"], [2.0])
    anchors = jaxcompress.load_anchors(str(saved / "anchors.safetensors"))
    assert isinstance(anchors, SparseAnchors)
    np.testing.assert_array_equal(anchors.decode(), [[30.0], [2.0]])


def test_workdirs_are_opened_by_the_function_of_their_kind(saved):
    for kind, name in (("codes", "model.safetensors"), ("anchors", "anchors.safetensors")):
        export = saved / kind / "export"
        export.mkdir(parents=True)
        (export / name).write_bytes((saved / f"{kind}.safetensors").read_bytes())
    assert len(jaxcompress.load_codes(saved / "codes")) == 2
    assert len(jaxcompress.load_anchors(saved / "anchors")) == 2
    with pytest.raises(InputError, match="anchors holds anchors; expected codes"):
        jaxcompress.load_codes(saved / "anchors")
    with pytest.raises(InputError, match="codes holds codes; expected anchors"):
        jaxcompress.load_anchors(saved / "codes")


def test_a_file_of_the_other_kind_is_one_line(saved):
    for function, name, message in (
        (
            jaxcompress.load_codes,
            "anchors",
            "holds anchors; expected codes. Open it with load_anch",
        ),
        (
            jaxcompress.load_anchors,
            "codes",
            "holds codes; expected anchors. Open it with load_codes",
        ),
        (jaxcompress.load_codes, "gone", "no file or folder"),
        (jaxcompress.load_anchors, "gone", "no file or folder"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            function(saved / f"{name}.safetensors")
        assert "\n" not in str(caught.value)


def test_sizes_are_properties_with_types():
    for name in ("num_rows", "num_codebooks", "num_codewords", "dim", "bits_per_row",
                 "codes_bytes", "codebook_bytes"):  # fmt: skip
        assert getattr(Codes, name).fget.__annotations__ == {"return": int}, name


def test_every_public_name_is_there_and_listed():
    for name in jaxcompress.__all__:
        assert getattr(jaxcompress, name) is not None, name
    assert set(jaxcompress.__all__) <= set(dir(jaxcompress))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = jaxcompress.nonsense


def test_the_version_is_written_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"] == {"path": "jaxcompress/__init__.py"}
    assert all(part.isdigit() for part in jaxcompress.__version__.split("."))
    assert jaxcompress.__version__.count(".") == 2


def test_folders_are_attributes_that_load_when_they_are_asked_for():
    program = (
        "import sys, jaxcompress\n"
        "assert 'jax' not in sys.modules and 'jaxcompress.tying' not in sys.modules\n"
        "for name in ('dccl', 'tying', 'ant', 'classifier'):\n"
        "    assert callable(getattr(jaxcompress, name).train), name\n"
        "assert jaxcompress.data.__name__ == 'jaxcompress.data'\n"
        "import jaxcompress.layers.checks\n"  # and so the layers' folder, which PyTorch's is in
        "assert 'jax' not in sys.modules\n"
        "assert jaxcompress.layers.CodesEmbed.__name__ == 'CodesEmbed'\n"
        "assert 'jax' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.slow
def test_the_public_face_has_the_types_that_it_says(tmp_path, monkeypatch):
    mypy = pytest.importorskip("mypy.api")
    monkeypatch.chdir(ROOT)  # the files that pyproject.toml lists are relative to it
    out, error, status = mypy.run(["--cache-dir", str(tmp_path)])
    assert status == 0, out + error
