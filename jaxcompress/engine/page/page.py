"""What a page is made of, and how it is written."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from jaxcompress.engine.config import RunConfig
from jaxcompress.engine.origin import Origin, own_version
from jaxcompress.engine.page.palette import css
from jaxcompress.engine.page.template import open_template
from jaxcompress.engine.page.text import clean
from jaxcompress.engine.report import say
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.json_files import REWRITE, read_json

if TYPE_CHECKING:
    from markupsafe import Markup

REPORT = "report.html"  # in a workdir


class Picture(NamedTuple):
    """A picture and what it shows.

    Attributes:
        svg: an `<svg>` element.
        caption: a line below it.
        wide: whether it takes a line of the page for itself.
    """

    svg: "Markup"
    caption: str = ""
    wide: bool = False


class Word(NamedTuple):
    """A word of a list; `mark` is "", or "lost", "new", "good", "bad"."""

    text: str
    mark: str = ""


class Table(NamedTuple):
    """Rows of cells: texts, numbers, lists of `Word`, None for nothing."""

    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Section(NamedTuple):
    """A part of a page: a title, what is to be known, and what is to be seen."""

    title: str
    text: str = ""
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    quotes: Sequence[str] = ()


class Page(NamedTuple):
    """A page.

    Attributes:
        kind: what it is a page of, above the title.
        title: the title.
        lead: the result in a sentence or two.
        tiles: the main figures, with what they are.
        sections: the rest, in order.
        origin: how it was made; None: nothing is said of it.
    """

    kind: str
    title: str
    lead: str
    tiles: Mapping[str, str]
    sections: Sequence[Section]
    origin: Origin | None = None


def leave_page(file: Path, make: Callable[[], Page]) -> None:
    """Writes the page that `make` makes, on process 0, and says so.

    A page is no part of a run's result: if it cannot be made, that is a note.
    """
    if jax.process_index() > 0:
        return
    try:
        write_page(file, make)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        say(f"note: no {file.name}: {reason}")
    else:
        say(f"report: {file}")


def leave_report(workdir: Path, config: RunConfig, make: Callable[[], Page]) -> None:
    """Leaves the report of a run that is under way, if it is wanted and there are figures."""
    if config.report and (workdir / "summary.json").exists():
        leave_page(workdir / REPORT, make)


def write_page(file: Path, make: Callable[[], Page]) -> Path:
    """Writes the page that `make` makes; returns the file.

    Raises:
        InputError: if Jinja or matplotlib is missing.
    """
    template = open_template("page.html")
    with atomic_write(file) as partial:
        text = template.render(page=make(), css=css(), version=own_version())
        partial.write_text(clean(text), "utf-8")
    return file


class _Summary(dict[str, Any]):
    """Figures of a `summary.json`, which of an earlier release may lack some."""

    def __missing__(self, name: str) -> Any:
        raise InputError(f"summary.json has no {name}; {REWRITE}.")


def read_summary(workdir: Path) -> dict[str, Any]:
    """Reads the figures of `summary.json`.

    Raises:
        InputError: if there are none, or later, if one is asked for that is not among them.
    """
    file = workdir / "summary.json"
    if not file.exists():
        raise InputError(f"workdir {workdir} has no summary.json yet; {REWRITE}.")
    return _Summary(read_json(file, REWRITE))
