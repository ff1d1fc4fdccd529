"""Pictures of tables: one panel a figure, one bar a row."""

from matplotlib.figure import Figure

from jaxcompress.storage.atomic import atomic_write


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
    figure = Figure(figsize=(3 * len(panels), 1.4 + 0.36 * len(results)), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, len(panels), sharey=True)
    for i, (axis, name) in enumerate(zip(axes, panels, strict=True)):
        label, form = panels[name]
        values = [figures[name] for figures in results.values()]
        colors = ["C3" if is_ours(figures) else "C0" for figures in results.values()]
        bars = axis.barh(list(results), values, color=colors)
        texts = [format(v, form) for v in values]
        axis.bar_label(bars, texts, padding=3, fontsize=8, bbox={"color": "white", "pad": 0.5})
        axis.set(title=label, xlim=(0, 1.35 * max(values)), xticks=[])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        if i == 0:
            axis.invert_yaxis()
            axis.axvline(bound, color="black", linestyle="--", linewidth=1)
            axis.text(bound, -0.7, " bound", fontsize=8)
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
