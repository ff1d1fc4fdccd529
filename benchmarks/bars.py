"""Pictures of tables: one group a figure, one bar a row."""

from jaxcompress.engine.page import charts


def draw(results, panels, title, path, *, bound, is_ours):
    """Draws bars.

    Args:
        results: label -> figures.
        panels: name of a figure -> its title, and its format.
        title: of the picture.
        path: of the PNG.
        bound: a line in the first panel.
        is_ours: tells by a row's figures whether its bars are of the other colour.
    """
    groups = [
        charts.Bars([figures[name] for figures in results.values()], label, form)
        for name, (label, form) in panels.items()
    ]
    marked = [is_ours(figures) for figures in results.values()]
    width = 220 + 190 * len(groups)
    figure = charts.bars(
        list(results), groups, marked=marked, bound=bound, title=title, width=width
    )
    charts.save_png(figure, path)
