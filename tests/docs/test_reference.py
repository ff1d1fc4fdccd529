"""The reference has every public name, and the site's contents every page."""

import dataclasses
import importlib
import re
import runpy

import pages
import pytest
from example_config import Example

import jaxcompress
from jaxcompress.engine.config import RunConfig

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


METHODS = (jaxcompress.dccl, jaxcompress.tying, jaxcompress.ant, jaxcompress.classifier)
CONFIGS = [
    RunConfig,
    *(getattr(m, name) for m in METHODS for name in m.__all__ if name.endswith("Config")),
]


def test_the_fields_of_a_config_are_described_by_their_comments_and_bounds():
    site, lines = runpy.run_path(str(DOCS / "conf.py")), []
    assert site["field_comments"](Example)["path"] == 'a file, or "stdlib"'
    site["append_fields"](None, "class", "Example", Example, None, lines)
    assert [line for line in lines if line] == [
        "``rate: float = 1.0``",
        r"    Of \*Adam\*. It must be above 0.",
        "``path: str | None = None``",
        '    A file, or "stdlib".',
        "``group``: :class:`~jaxcompress.engine.config.RunConfig`",
    ]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_has_a_comment_or_a_list_of_values(config):
    comments = runpy.run_path(str(DOCS / "conf.py"))["field_comments"](config)
    for field in dataclasses.fields(config):
        if field.name in comments and field.default is not dataclasses.MISSING:
            described = comments[field.name] or str(field.metadata.get("bounds", ""))
            assert described, f"{config.__module__}: {field.name}"


def test_what_is_markup_in_a_site_and_not_in_a_docstring_is_escaped():
    escape = runpy.run_path(str(DOCS / "conf.py"))["escape"]
    assert escape("[*ids, D] and `a*b`, |x|, name_, a_b") == (
        r"[\*ids, D] and `a*b`, \|x\|, name\_, a_b"
    )
    assert escape("x*\n>>> 2 * 3\n6\n\ny*") == "x\\*\n>>> 2 * 3\n6\n\ny\\*"
