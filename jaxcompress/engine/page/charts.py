"""Charts of pages, of `curves.png` and its like, and of the documentation, drawn by matplotlib.

A chart is a matplotlib Figure in the colours of light paper. In a page its colours become
variables, and its letters those of the page.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxcompress.engine.page.palette import PALETTE, SERIES, light
from jaxcompress.engine.page.text import clean
from jaxcompress.storage.atomic import atomic_write

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UNIT = 72  # units of a picture in an inch: in a page each is a pixel
_STYLE = {
    "text.parse_math": False,  # a word may have a dollar
    "svg.fonttype": "none",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.8,
    "grid.color": light("line"),
    "axes.edgecolor": light("muted"),
    "axes.labelcolor": light("muted"),
    "xtick.color": light("muted"),
    "ytick.color": light("muted"),
    "text.color": light("ink"),
    "axes.titlecolor": light("ink"),
}


class Curve(NamedTuple):
    """Points of one kind.

    Attributes:
        points: x and y of each, in the order that they are joined in.
        style: "line", "dashed" for what bounds the others, "points" that are not joined, "star" for
            a point that stands out.
        colour: a name of the palette; None: the next one.
    """

    points: Sequence[tuple[float, float]]
    style: str = "line"
    colour: str | None = None


class Panel(NamedTuple):
    """What is drawn between two axes: curves by their names, and what the axes are."""

    curves: Mapping[str, Curve]
    title: str = ""
    x_label: str = "step"
    y_label: str = ""
    log: str = ""  # "x", "y" or "xy": which axes are logarithmic


def lines(panel: Panel, width: float = 400, height: float = 260) -> "Figure":
    """Draws a panel; width and height in pixels of a page."""
    with _style():
        figure = _figure(width, height)
        draw_panel(_one_axis(figure, bool(panel.title)), panel)
        return figure


def many_lines(panels: Sequence[Panel], title: str) -> "Figure":
    """Draws panels beside and below each other under one title."""
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with _style():
        figure = _figure(320 * columns, 40 + 230 * rows, layout="constrained")
        figure.suptitle(clean(title))
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, panel in zip(axes, panels, strict=False):
            draw_panel(axis, panel)
        for axis in axes[len(panels) :]:
            axis.remove()
        return figure


def draw_panel(axis: "Axes", panel: Panel) -> None:
    """Draws curves, labels, and a legend if there is more than one curve."""
    colours = iter(SERIES * (1 + len(panel.curves) // len(SERIES)))
    for name, curve in panel.curves.items():
        colour = light(curve.colour or next(colours))
        if curve.points:
            axis.plot(*zip(*curve.points, strict=True), label=clean(name), color=colour,
                      **_line_style(curve))  # fmt: skip
    axis.set(title=clean(panel.title), xlabel=panel.x_label, ylabel=panel.y_label)
    _set_scales(axis, panel.log)
    if len(panel.curves) > 1:
        axis.legend(loc="lower left" if "y" in panel.log else "best")


def _line_style(curve: Curve) -> dict[str, Any]:
    if curve.style == "star":
        return {"linestyle": "none", "marker": "*", "markersize": 13, "zorder": 5}
    if curve.style == "dashed":
        return {"linestyle": (0, (4, 3)), "linewidth": 1.2}
    if curve.style == "points":
        return {"linestyle": "none", "marker": "o", "markersize": 5}
    size = 0 if len(curve.points) > 40 else 3 if len(curve.points) > 1 else 7
    return {"linewidth": 1.6, "marker": "o", "markersize": size}


def _set_scales(axis: "Axes", log: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    for one, name in ((axis.xaxis, "x"), (axis.yaxis, "y")):
        if name in log:
            getattr(axis, f"set_{name}scale")("log")
            low, high = getattr(axis, f"get_{name}lim")()
            subs = (1.0,) if high > 300 * low else (1.0, 2.0, 5.0)
            one.set_major_locator(LogLocator(subs=subs, numticks=20))
            one.set_minor_formatter(NullFormatter())
        else:
            one.set_major_locator(MaxNLocator(5))
        one.set_major_formatter(FuncFormatter(lambda value, _: show_tick(value)))


def show_tick(value: float) -> str:
    """Writes the number of a tick.

    >>> [show_tick(v) for v in (0.25, 20.0, 120000, 2e6)]
    ['0.25', '20', '120k', '2M']
    """
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (size == 1e6 and abs(value) >= size):
            return f"{value / size:g}{unit}"
    return f"{value:,.6g}" if abs(value) >= 1000 else f"{value:g}"


def histogram(
    values: np.ndarray, x_label: str, y_label: str, width: float = 400, height: float = 260
) -> "Figure":
    """Draws how many of the values fall where."""
    with _style():
        figure = _figure(width, height)
        axis = _one_axis(figure)
        values = np.asarray(values)
        if values.dtype.kind in "iu":  # a bar for each number
            bins = np.arange(values.min(initial=0), values.max(initial=0) + 2) - 0.5
        else:
            bins = 40
        counts, edges = np.histogram(values, bins=bins)
        axis.stairs(counts, edges, fill=True, color=light("grey"))
        axis.set(xlabel=x_label, ylabel=y_label)
        axis.grid(axis="x", visible=False)
        _set_scales(axis, "")
        return figure


class Band(NamedTuple):
    """Quantiles of y over x: the middle, and how far the inner and the outer share reach."""

    x: Sequence[float]
    middle: Sequence[float]
    inner: tuple[Sequence[float], Sequence[float]]
    outer: tuple[Sequence[float], Sequence[float]]


def bands(
    band: Band, x_label: str, y_label: str, width: float = 400, height: float = 260
) -> "Figure":
    """Draws a median with the bands of half and of four fifths of the values, over a log axis."""
    with _style():
        figure = _figure(width, height)
        axis = _one_axis(figure)
        for (low, high), label, alpha in ((band.outer, "80 % of rows", 0.18),
                                          (band.inner, "50 %", 0.32)):  # fmt: skip
            axis.fill_between(band.x, low, high, color=light("blue"), alpha=alpha, linewidth=0,
                              label=label)  # fmt: skip
        axis.plot(band.x, band.middle, color=light("blue"), linewidth=1.8, label="median")
        axis.set(xlabel=x_label, ylabel=y_label)
        _set_scales(axis, "x")
        axis.legend()
        return figure


class Bars(NamedTuple):
    """A group of bars, one for each label: their values, a title, and how values are written."""

    values: Sequence[float]
    title: str
    form: str = ".3f"


def bars(
    labels: Sequence[str],
    groups: Sequence[Bars],
    *,
    marked: Sequence[bool],
    bound: float | None = None,
    title: str = "",
    width: float = 800,
) -> "Figure":
    """Draws horizontal bars, the first label at the top.

    Args:
        labels: names of the rows.
        groups: bars of the same rows, side by side.
        marked: whose bars are of the accent's colour.
        bound: a dotted line in the first group.
        title: of the picture.
        width: of it, in pixels.
    """
    with _style():
        height = 62 + 20 * bool(title) + 27 * len(labels)
        figure = _figure(width, height, layout="constrained")
        if title:
            figure.suptitle(clean(title))
        axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        places = range(len(labels))
        for axis, group in zip(axes, groups, strict=True):
            colours = [light("accent" if mark else "grey") for mark in marked]
            drawn = axis.barh(places, group.values, height=0.72, color=colours)
            texts = [format(value, group.form) for value in group.values]
            axis.bar_label(drawn, texts, padding=4, fontsize=10.5)
            axis.set(title=group.title, xticks=[], xlim=(0, 1.25 * max(group.values)))
            axis.grid(visible=False)
            axis.spines[["bottom", "left"]].set_visible(False)
            axis.tick_params(left=False)
        axes[0].set_yticks(places, map(clean, labels), color=light("ink"))
        axes[0].invert_yaxis()
        if bound is not None:
            axes[0].axvline(bound, color=light("ink"), linewidth=1, linestyle=":")
            axes[0].annotate("Gaussian bound", (bound, 0), xycoords=("data", "axes fraction"),
                             xytext=(0, -2), textcoords="offset points", ha="center", va="top",
                             fontsize=9.5, color=light("muted"))  # fmt: skip
        return figure


def save_png(figure: "Figure", path: Path) -> None:
    """Writes a chart as a PNG."""
    with _style(), atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def save_panels(panels: Sequence[Panel], path: Path, title: str) -> bool:
    """Draws `many_lines` to a PNG; false if there are no panels, or matplotlib is missing."""
    if not panels or find_spec("matplotlib") is None:
        return False
    save_png(many_lines(panels, title), path)
    return True


def to_svg(figure: "Figure", label: str) -> "Markup":
    """Makes a chart an `<svg>` element of a page.

    Args:
        figure: the chart.
        label: what it shows, for those who do not see it; different from others of the page.
    """
    from markupsafe import Markup, escape

    stream = io.StringIO()
    with _style(hashsalt=clean(label)):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    width, height = (round(float(n)) for n in re.findall(r'viewBox="0 0 (\S+) (\S+)"', text)[0])
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'aria-label="{escape(label)}">')  # fmt: skip
    text = head + text.partition("<svg")[2].partition(">")[2]
    for pattern, replacement in (
        (r"<metadata>.*?</metadata>", ""),
        (r"<style.*?</style>", ""),  # of all elements of the page
        (r"<!--.*?-->", ""),
        (r' id="(?!C\d)[\w.]+_\d+"', ""),  # of groups, the same in each picture
        (r"font: ([\d.]+px) [^;\"]*", r"font-size: \1"),
        (r"\n\s*", " "),
    ):
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    for name, colour in PALETTE.items():
        text = text.replace(colour.light, f"var(--{name})")
    return Markup(text)


def _figure(width: float, height: float, layout: str | None = None) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width / _UNIT, height / _UNIT), dpi=_UNIT, layout=layout)


def _one_axis(figure: "Figure", has_title: bool = False) -> "Axes":
    """Adds the only axis, in margins of so many pixels: a layout that is sought takes longer."""
    width, height = figure.get_size_inches() * _UNIT
    left, right, bottom, top = 60, 10, 44, 28 if has_title else 10
    size = (width - left - right) / width, (height - bottom - top) / height
    return figure.add_axes((left / width, bottom / height, *size))


@contextlib.contextmanager
def _style(hashsalt: str = "") -> Iterator[None]:
    """The style; without warnings of glyphs that only the letters of a PNG lack."""
    import matplotlib

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": hashsalt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
