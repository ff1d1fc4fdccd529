"""The reference has every public name, and the site's contents every page."""

import importlib
import re

import pages
import pytest

import jaxcompress

DOCS = pages.ROOT / "docs"
FACES = [
    ".".join(path.parent.relative_to(pages.ROOT).parts)
    for path in sorted((pages.ROOT / "jaxcompress").glob("**/__init__.py"))
]


def documented_names():
    """The full names that directives of autodoc in docs/api/*.md document."""
    found = set()
    for page in (DOCS / "api").glob("*.md"):
        module = ""
        for directive, name in re.findall(r"^\.\. ([\w:]+):: (\S+)$", page.read_text(), re.M):
            if directive in ("automodule", "currentmodule"):
                module = name
            found.add(name if name.startswith("jaxcompress") else f"{module}.{name}")
    return found


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_of_a_folder_is_in_the_reference(face):
    public = getattr(importlib.import_module(face), "__all__", [])
    missing = {f"{face}.{name}" for name in public} - documented_names()
    assert not missing, "add them to a page of docs/api"


def test_faces_are_found_and_names_are_read():
    assert "jaxcompress" in FACES
    assert "jaxcompress.dccl" in FACES
    names = documented_names()
    assert {"jaxcompress.dccl", "jaxcompress.dccl.train", "jaxcompress.Codes"} <= names
    assert "jaxcompress.nonsense" not in names


def test_every_page_stands_in_the_contents():
    contents = re.findall(r"```{toctree}\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)
    listed = {line for part in contents for line in part.splitlines() if line and line[0] != ":"}
    there = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.glob("**/*.md")}
    assert listed == there - {"index"}


def test_the_site_has_the_version_of_the_package():
    assert "jaxcompress.__version__" in (DOCS / "conf.py").read_text()
    assert jaxcompress.__version__ in (pages.ROOT / "CHANGELOG.md").read_text()
