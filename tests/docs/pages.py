"""README.md, CONTRIBUTING.md and docs/*.md as tests see them: snippets, commands, names.

- A `python` block is a snippet. The blocks of a page are one program, in order.
- A `text` block right after a snippet is what that snippet prints.
- A snippet right after a line that is only **`PATH`** is the file PATH, and is not run by itself.
- `<!-- needs: MODULE -->` above a snippet: it is run only if the module is there.
- A command is a line of an `sh` block, or a code span that starts with a program's name.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_FENCE = re.compile(r"^```([\w{}-]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_OUTPUT = re.compile(r"\s*^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"^\*\*`([^`\n]+)`\*\*\n+$", re.MULTILINE)
_NEEDS = re.compile(r"<!-- needs: (\w+) -->")
_PROGRAMS = ("python ", "python3 ", "pip ", "pytest ", "ruff ", ".venv/bin/")


class Snippet(NamedTuple):
    """A `python` block of a page.

    Attributes:
        code: its text, after as many empty lines as stand before it in the page.
        output: what it prints; None: the page does not say.
        file: the path of the file that it is; None: it is to be run.
        needs: a module without which it cannot be run; None: there is none.
    """

    code: str
    output: str | None
    file: str | None
    needs: str | None


def read(name: str) -> str:
    return (ROOT / name).read_text()


def snippets(name: str) -> list[Snippet]:
    """The `python` blocks of a page."""
    text, found = read(name), []
    for block in _FENCE.finditer(text):
        if block[1] != "python":
            continue
        before, after = text[: block.start()], text[block.end() :]
        file = next((f[1] for f in _FILE.finditer(before) if f.end() == len(before)), None)
        comments = before.rpartition("\n\n")[2]
        needs, output = _NEEDS.search(comments), _OUTPUT.match(after)
        found.append(
            Snippet(
                "\n" * (before.count("\n") + 1) + block[2],
                output and output[1],
                file,
                needs and needs[1],
            )
        )
    return found


def prose(name: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", read(name))


def code_spans(name: str) -> list[str]:
    """What a page has in backticks, each on one line."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(name))]


def commands(name: str) -> list[str]:
    """The command lines of a page, without comments; parts joined by && are apart."""
    lines = []
    for block in _FENCE.finditer(read(name)):
        if block[1] == "sh":
            lines += block[2].replace("\\\n", " ").splitlines()
    lines += [span for span in code_spans(name) if span.startswith(_PROGRAMS)]
    lines = [re.sub(r"\s#.*", "", line).strip() for line in lines]
    return [part.strip() for line in lines if line for part in line.split("&&")]
