"""Sections that several pages have."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxcompress.engine.page.charts import Panel, lines, to_svg
from jaxcompress.engine.page.page import Page, Picture, Section, Table, leave_page


def learning_curves(
    panels: Sequence[Panel],
    text: str = "Figures over training steps.",
    width: float = 268,
    height: float = 210,
) -> Section:
    """Makes the section of learning curves, a picture of a size in pixels for each panel."""
    pictures = [
        Picture(to_svg(lines(panel, width, height), f"Learning curve: {panel.title}"))
        for panel in panels
    ]
    return Section("Learning curves", text, pictures)


def runs_table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    """Lays figures of runs side by side; one that a run lacks is left blank."""
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    return Table([name.replace("_", " ") for name in names], cells)


def _cell(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def leave_comparison(file: Path, kind: str, make_sections: Callable[[], Sequence[Section]]) -> None:
    """Writes the page of runs side by side, of the sections that a function makes."""
    leave_page(file, lambda: Page(kind, "Runs side by side", "", {}, make_sections()))
