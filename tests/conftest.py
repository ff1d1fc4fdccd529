"""Real data by `$JAXCOMPRESS_DATA`; 8 simulated devices; caches in temporary folders."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """Keeps every test out of the user's cache, and of the user's data unless it asks."""
    monkeypatch.setenv("JAXCOMPRESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; tests that need it are skipped, and say so, where it is not."""
    folder = os.environ.get("JAXCOMPRESS_DATA")
    if not folder or not (Path(folder) / "vectors").is_dir():
        pytest.skip("no real data: set JAXCOMPRESS_DATA to a folder with vectors/ in it")
    return Path(folder).absolute()
