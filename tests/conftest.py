"""Real data by `$JAXCOMPRESS_DATA`; caches in temporary folders; compiled programs are shared."""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # workers share the cores as it is
    os.environ.setdefault(_name, "1")  # before NumPy is imported

import tempfile

import quick_compiler

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {quick_compiler.flags()}"
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers have the folder of the one that starts them
    _PROGRAMS = tempfile.TemporaryDirectory(prefix="jaxcompress-programs-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _PROGRAMS.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.4"
os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(1 << 32)  # a bound makes jax lock the folder

from pathlib import Path

import helpers  # which imports jax
import pytest

from jaxcompress.dccl.config import EFFORTS, Effort


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """Keeps every test out of the user's cache, and of the user's data unless it asks."""
    monkeypatch.setenv("JAXCOMPRESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _little_effort(monkeypatch):
    """Trains and refines for a tenth of the time where a test does not say for how long."""
    monkeypatch.setitem(EFFORTS, "default", Effort(0.1, 0.1))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; tests that need it are skipped, and say so, where it is not."""
    folder = os.environ.get("JAXCOMPRESS_DATA")
    if not folder or not (Path(folder) / "vectors").is_dir():
        pytest.skip("no real data: set JAXCOMPRESS_DATA to a folder with vectors/ in it")
    return Path(folder).absolute()


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    """A small table of clustered rows."""
    return helpers.make_table(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="session")
def finished(table, tmp_path_factory) -> tuple[Path, str]:
    """The workdir of an uninterrupted small run on one device, and what it printed."""
    workdir = tmp_path_factory.mktemp("runs") / "run"
    return workdir, helpers.printed(
        helpers.command(table, workdir, "--config.report=true", "--config.sample_words=w1,nobody")
    )


@pytest.fixture(scope="session")
def text(tmp_path_factory) -> Path:
    """A folder with the three splits of a small language."""
    return helpers.make_text(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="session")
def finished_lm(text, tmp_path_factory) -> tuple[Path, str]:
    """The workdir of an uninterrupted small language model on one device, and what it printed."""
    workdir = tmp_path_factory.mktemp("runs") / "lm"
    return workdir, helpers.printed(helpers.text_command(text, workdir, "--config.report=true"))


@pytest.fixture(scope="session")
def ratings_file(tmp_path_factory) -> Path:
    """A small file of ratings."""
    return helpers.make_ratings(tmp_path_factory.mktemp("ratings"))


@pytest.fixture(scope="session")
def finished_ratings(ratings_file, tmp_path_factory) -> tuple[Path, str]:
    """The workdir of an uninterrupted small run of NBANT on one device, and what it printed."""
    workdir = tmp_path_factory.mktemp("runs") / "ratings"
    return workdir, helpers.printed(
        helpers.ratings_command(ratings_file, workdir, "--config.report=true")
    )


@pytest.fixture(scope="session")
def reviews(tmp_path_factory) -> Path:
    """A folder with train.csv, test.csv and vectors of their words."""
    return helpers.make_reviews(tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="session")
def finished_sentiment(reviews, tmp_path_factory) -> tuple[Path, str]:
    """The workdir of an uninterrupted small run of the classifier, and what it printed."""
    workdir = tmp_path_factory.mktemp("runs") / "sentiment"
    return workdir, helpers.printed(
        helpers.sentiment_command(reviews, workdir, "--config.report=true")
    )


_LONG = (
    "test_train_",
    "test_pages",
    "test_package",
    "test_devices",
    "test_processes",
    "test_refinement",
    "test_layers",
    "test_classifier_task",
    "test_resume",
    "test_earlier",
    "test_public",
    "test_groups",
    "test_dccl",
    "test_tying",
    "test_target",
)


def pytest_collection_modifyitems(items):
    """Puts the files that take longest first: at the end no worker waits for the other's."""
    items.sort(key=lambda item: not item.path.name.startswith(_LONG))
