"""Tables are read where nothing is installed but NumPy, safetensors and ml_dtypes."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from jaxcompress import Codes
from jaxcompress.codes.codebook_types import fold, round_codebooks
from jaxcompress.codes.groups import Groups

ROOT = Path(__file__).parents[2]
NEEDED = ("numpy", "safetensors", "ml_dtypes")
READ = """
import json, sys
from importlib.metadata import distributions
import jaxcompress
table = jaxcompress.load(sys.argv[1])
print(json.dumps({
    "installed": sorted({d.metadata["Name"].replace("-", "_") for d in distributions()}),
    "row": table["word 3"].tolist(),
    "rows": table.decode([0, 7]).tolist(),
    "nearest": table.nearest("word 3", 4),
    "bytes": table.num_bytes(),
}))
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The interpreter of an environment with the three packages, in the versions that we run."""
    folder = tmp_path_factory.mktemp("bare")
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = [f"{name}=={version(name)}" for name in NEEDED]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-deps",
        "--no-compile",
    ]
    done = subprocess.run([*pip, *packages], capture_output=True, text=True, timeout=300)
    if done.returncode and any(
        s in done.stderr for s in ("connection", "Could not find a version")
    ):
        pytest.skip(f"pip reaches no index: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return python


def test_a_table_is_read_without_jax_and_gives_the_same_numbers(bare, tmp_path):
    rng = np.random.default_rng(0)
    groups = Groups(2, 2)
    codebooks = groups.join(*groups.split(rng.normal(size=(6, 16, 8)).astype(np.float32)))
    codebooks = round_codebooks(fold(codebooks, groups), "int8", groups)
    words = [f"word {i}" for i in range(30)]
    codes = Codes(
        rng.integers(0, 16, (30, 6)), codebooks, words, groups=groups, codebook_type="int8"
    )
    codes.save(tmp_path / "a.safetensors")
    done = subprocess.run(
        [bare, "-c", READ, tmp_path / "a.safetensors"],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["installed"]) <= {*NEEDED, "pip", "setuptools", "jaxcompress"}
    np.testing.assert_array_equal(np.float32(found["row"]), codes["word 3"])
    np.testing.assert_array_equal(np.float32(found["rows"]), codes.decode([0, 7]))
    assert found["bytes"] == codes.num_bytes()
    expected = codes.nearest("word 3", 4)
    assert [word for word, _ in found["nearest"]] == [word for word, _ in expected]
    np.testing.assert_allclose(
        [c for _, c in found["nearest"]], [c for _, c in expected], atol=1e-6
    )
