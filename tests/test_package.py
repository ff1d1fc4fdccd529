"""Wheel and source distribution: what is in them, and that they work where there is no checkout."""

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import helpers
import pytest

from jaxcompress.cli.configs import config_names

pytest.importorskip("build")
SHORT = {
    "dccl": ("quickstart", "--config.num_steps=20", "--config.refine.num_rounds=1",
             "--config.data.max_rows=300", "--config.model.num_codebooks=4"),
    "tying": ("quickstart_lm", "--config.num_steps=5", "--config.model.hidden_size=8",
              "--config.data.path=text", "--config.unroll=5", "--config.batch_size=8"),
    "ant": ("quickstart_ratings", "--config.num_steps=20"),
    "sentiment": ("quickstart_sentiment", "--config.num_steps=5", "--config.model.hidden_size=8",
                  "--config.data.max_tokens=20"),
}  # fmt: skip
PROGRAM = """
import sys
for name in ("faiss", "jinja2", "matplotlib", "pyarrow", "tensorflow_datasets", "torch"):
    sys.modules[name] = None  # as if no extra were installed
from jaxcompress.cli.command import main
import jaxcompress
assert jaxcompress.__file__.startswith(sys.prefix), jaxcompress.__file__
for method, *arguments in {runs!r}:
    arguments = [f"--config={{arguments[0]}}", *arguments[1:], f"--workdir={{method}}"]
    assert main(["train", method, *arguments]) == 0
config = jaxcompress.dccl.Config(num_steps=20, batch_size=64)
config.refine.num_rounds = 0
config.data.max_rows, config.model.num_codebooks = 300, 4
jaxcompress.dccl.train(config, "python")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The paths of the source distribution, and of the wheel made from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), helpers.ROOT]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


def environment(folder, distribution):
    """Makes an environment with the distribution and what it needs; returns its `bin`."""
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    # What it depends on is that of this environment, where the package itself is not found by this.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q"]
    options = ["--no-deps", "--ignore-installed", "--no-build-isolation", str(distribution)]
    subprocess.run([*pip, *options], check=True, capture_output=True, text=True)
    return folder / "bin"


def test_the_wheel_trains_every_method_outside_of_a_checkout(built, tmp_path):
    with zipfile.ZipFile(built[1]) as wheel:
        names = wheel.namelist()
    assert {n.split("/")[0] for n in names if ".dist-info/" not in n} == {"jaxcompress"}
    assert "jaxcompress/py.typed" in names
    for name in config_names():
        assert f"jaxcompress/configs/{name}.py" in names
    programs = environment(tmp_path / "env", built[1])
    (tmp_path / "text").mkdir()
    helpers.make_text(tmp_path / "text")
    runs = [(method, *arguments) for method, arguments in SHORT.items()]
    done = subprocess.run(
        [programs / "python", "-c", PROGRAM.format(runs=runs)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (*SHORT, "python"):
        assert (tmp_path / name / "summary.json").exists()
    shown = subprocess.run(
        [programs / "jaxcompress", "info", "dccl"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "num rows           300\n" in shown.stdout, shown.stderr


def test_the_tests_of_the_source_distribution_are_collected(built, tmp_path):
    programs = environment(tmp_path / "env", built[0])
    with tarfile.open(built[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = next(tmp_path.glob("jaxcompress-*"))
    for name in ("configs/glove.py", "train/dccl.py", "readers/jaxcompress.js", "docs/conf.py"):
        assert (folder / name).is_file()
    done = subprocess.run(
        [programs / "python", "-m", "pytest", "--collect-only", "-q", "-n0", "tests"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
