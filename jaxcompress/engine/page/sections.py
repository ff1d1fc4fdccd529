"""Sections that several pages have."""

from collections.abc import Sequence

from jaxcompress.engine.page.charts import Panel, lines, to_svg
from jaxcompress.engine.page.page import Picture, Section


def learning_curves(panels: Sequence[Panel], text: str = "Figures over training steps.") -> Section:
    """Makes the section of learning curves, a picture for each panel."""
    pictures = [
        Picture(to_svg(lines(panel, 268, 210), f"Learning curve: {panel.title}"))
        for panel in panels
    ]
    return Section("Learning curves", text, pictures)
