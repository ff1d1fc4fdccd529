"""Notebooks are what their sources say, and start as the address of the repository has it."""

import runpy
from pathlib import Path

import helpers
import pytest

pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")
MAKE = runpy.run_path(str(Path(helpers.ROOT) / "notebooks" / "make.py"))
GITHUB = "https://github.com/someone/jaxcompress"


def cells(source, address):
    notebook = nbformat.reads(MAKE["make"](source, address), as_version=4)
    nbformat.validate(notebook)
    return notebook.cells


def test_notebooks_are_made_of_their_sources_and_have_no_outputs():
    sources = MAKE["sources"]()
    assert len(sources) == 4
    assert len(list(MAKE["FOLDER"].glob("*.ipynb"))) == 4
    for source in sources:
        text = source.with_suffix(".ipynb").read_text("utf-8")
        assert text == MAKE["make"](source, MAKE["repository"]()), "python notebooks/make.py"
        assert all(not cell.get("outputs") for cell in nbformat.reads(text, as_version=4).cells)
        assert "sys.argv" not in text


def test_without_a_repository_the_reader_names_what_is_installed():
    title, install = cells(MAKE["sources"]()[0], "")[:2]
    assert title.source.startswith("# ")
    assert "colab" not in title.source.lower()
    assert install.cell_type == "code"
    assert install.metadata.tags == ["skip-execution"]
    assert '%pip install -q "{PACKAGE}[plots]"' in install.source


@pytest.mark.parametrize("address", [GITHUB, f"{GITHUB}/", f"{GITHUB}.git"])
def test_with_a_repository_there_is_a_badge_and_it_is_installed_from_there(
    address, tmp_path, monkeypatch
):
    (tmp_path / "pyproject.toml").write_text(f"[project.urls]\nRepository = '{address}'\n")
    monkeypatch.setitem(MAKE["repository"].__globals__, "FOLDER", tmp_path / "notebooks")
    source = Path(helpers.ROOT) / "notebooks" / "recommender.py"
    title, install = cells(source, MAKE["repository"]())[:2]
    badge, _, text = title.source.partition("\n\n")
    assert badge.endswith(
        "(https://colab.research.google.com/github/someone/jaxcompress/blob/main/notebooks/"
        "recommender.ipynb)"
    )
    assert text.startswith("# ")
    assert install.source == f'%pip install -q "jaxcompress[plots] @ git+{GITHUB}"'
    assert install.metadata.tags == ["skip-execution"]


def test_a_repository_elsewhere_has_no_badge():
    title, install = cells(MAKE["sources"]()[0], "https://example.org/jaxcompress")[:2]
    assert title.source.startswith("# ")
    assert "git+https://example.org/jaxcompress" in install.source
