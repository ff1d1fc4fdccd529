"""CHANGELOG.md and CITATION.cff say what is so, and the README's figures are measured ones."""

import re
import runpy

import pages

import jaxcompress

MAINS = ("train/dccl.py", "train/tying.py", "train/ant.py", "train/sentiment.py")  # they stay


def rows(heading):
    """The rows of the table under a heading of CHANGELOG.md, as pairs of lists of code spans."""
    part = pages.read("CHANGELOG.md").partition(f"### {heading}\n")[2].partition("\n### ")[0]
    lines = [line.split("|")[1:3] for line in part.splitlines() if line.startswith("| ")]
    return [tuple(re.findall(r"`([^`]+)`", cell) for cell in line) for line in lines[1:]]


def test_modules_that_moved_are_where_the_changelog_says():
    moved = rows("Modules")
    assert len(moved) > 50
    package = pages.ROOT / "jaxcompress"
    for before, now in moved:
        folder = ""
        for path in now:
            if path.endswith("/"):
                folder = path
            else:
                assert (package / folder / path).is_file(), path
        for path in before:
            root = pages.ROOT if path.startswith("train/") else package
            assert path in MAINS or not (root / path).exists(), path


def test_names_that_changed_are_what_the_changelog_says():
    changed = rows("Names")
    assert len(changed) > 10
    for _, now in changed:
        for name in now:
            *_, last = name.removesuffix("()").split(".")
            files = (pages.ROOT / "jaxcompress").glob("**/*.py")
            assert any(re.search(rf"\b{last}\b", file.read_text()) for file in files), name


def test_the_citation_has_the_version():
    assert f"\nversion: {jaxcompress.__version__}\n" in pages.read("CITATION.cff")


def test_the_figures_of_the_readme_are_in_the_benchmarks():
    part = pages.read("README.md").partition("## Figures")[2].partition("\n## ")[0]
    rows = [line.split("|")[2:4] for line in part.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 6
    figures = re.findall(r"\d[\d,]*(?:\.\d+)?", str(rows))
    assert len(figures) > 12
    measured = pages.read("docs/benchmarks.md")
    for figure in figures:
        assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d.,]\d)", measured), figure


def test_the_picture_of_the_readme_is_drawn_from_the_benchmarks(tmp_path):
    drawing = runpy.run_path(str(pages.ROOT / "docs" / "draw_figures.py"))
    errors = drawing["read_errors"]()
    assert errors.keys() == {*drawing["NAMES"], drawing["BOUND"]}
    assert errors["jaxcompress 32 x 16"] == 1.116
    assert errors[drawing["BOUND"]] == 1.050
    drawing["draw"](tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
