"""Makes the notebooks, NAME.ipynb of NAME.py: `python notebooks/make.py`.

A source is a script of cells, as jupytext's percent format has it. What depends on the address of
the repository in `pyproject.toml` comes in here: with an address a badge that opens the notebook in
Colab, and a cell that installs the package from there; without one, a cell that installs what the
reader names. Notebooks are kept without outputs: the tests execute them.
"""

import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell

FOLDER = Path(__file__).parent
COLAB = "https://colab.research.google.com"
SKIPPED = {"tags": ["skip-execution"]}  # by nbmake


def sources() -> list[Path]:
    """Lists the scripts that notebooks are made of."""
    return sorted(path for path in FOLDER.glob("*.py") if path != Path(__file__))


def repository() -> str:
    """Gives the address of the repository as `pyproject.toml` has it; "" if it has none."""
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "").removesuffix("/").removesuffix(".git")


def badge(address: str, name: str) -> str:
    """Writes the badge that opens a notebook in Colab; "" without an address on GitHub."""
    host, _, place = address.partition("//")[2].partition("/")
    if host != "github.com":
        return ""
    link = f"{COLAB}/github/{place}/blob/main/notebooks/{name}.ipynb"
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({link})"


def install(address: str) -> str:
    """Writes the cell that installs the package."""
    if address:
        return f'%pip install -q "jaxcompress[plots] @ git+{address}"'
    return (
        "# If jaxcompress is not installed: name a wheel of it, or the folder of a checkout.\n"
        'PACKAGE = ""\n'
        "if PACKAGE:\n"
        '    %pip install -q "{PACKAGE}[plots]"'
    )


def make(source: Path, address: str) -> str:
    """Makes the text of a notebook of the script that it is written in.

    Args:
        source: the script.
        address: of the repository; "": there is none.
    """
    notebook = jupytext.read(source)
    title, *others = notebook.cells
    if shown := badge(address, source.stem):
        title.source = f"{shown}\n\n{title.source}"
    notebook.cells = [title, new_code_cell(install(address), metadata=SKIPPED), *others]
    notebook.metadata.pop("jupytext", None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the default is random
    return nbformat.writes(notebook) + "\n"


def main() -> None:
    for source in sources():
        source.with_suffix(".ipynb").write_text(make(source, repository()), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
