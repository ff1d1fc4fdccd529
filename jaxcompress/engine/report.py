"""What a run reports: lines on the terminal, tables of figures, `summary.json`, curves."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxcompress.engine.page.charts import save_panels
from jaxcompress.engine.page.curves import panels_of_run
from jaxcompress.notes import note
from jaxcompress.storage.atomic import atomic_write


def write_summary(workdir: Path, summary: Mapping[str, Any], title: str | None = None) -> None:
    """Writes `WORKDIR/summary.json` and, if matplotlib is there, `curves.png`.

    Args:
        workdir: the run's folder.
        summary: the figures.
        title: of the learning curves; None: none are drawn.
    """
    write_json(workdir / "summary.json", summary)
    if title is None or jax.process_index() > 0:
        return
    if save_panels(panels_of_run(workdir), workdir / "curves.png", title):
        say(f"learning curves: {workdir}/curves.png")


def write_json(file: Path, figures: Any) -> None:
    """Writes figures, on process 0."""
    if jax.process_index() == 0:
        with atomic_write(file) as partial:
            partial.write_text(json.dumps(figures, indent=2) + "\n")


def say(line: str = "") -> None:
    """Prints a line on process 0; one that begins with "note: " is a note."""
    if jax.process_index() > 0:
        return
    if line.startswith("note: "):
        note(line)
    else:
        print(line, flush=True)


def format_figures(figures: Mapping[str, Any]) -> str:
    """Lays names and figures out in two columns."""
    width = max(map(len, figures))
    return "\n".join(f"{name:<{width}}  {_show(value):>14}" for name, value in figures.items())


def format_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Lays rows of figures out side by side; one that a row lacks is a dash."""
    cells = [list(names)] + [
        [_show(row[name]) if name in row else "-" for name in names] for row in rows
    ]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
