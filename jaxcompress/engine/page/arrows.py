"""A map of words: where each was, where it is now, and an arrow between."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _HEIGHT, _EDGE = 840, 600, 16  # pixels
_LETTER, _LINE = 6.3, 13.0  # width of a letter and height of a line, about
_FARTHEST = 0.96  # the share of places that the map reaches to


def draw_map(before: np.ndarray, after: np.ndarray, names: Sequence[str], label: str) -> "Markup":
    """Draws a map; names stand where there is room for them, the first names first.

    Args:
        before: float [N, 2].
        after: float [N, 2].
        names: of the N points.
        label: what it shows, for those who do not see it.
    """
    from markupsafe import Markup, escape

    reach = np.quantile(np.abs(before), _FARTHEST, axis=0)
    inner = np.array([_WIDTH, _HEIGHT]) / 2 - _EDGE
    scale = inner / np.where(reach > 0, reach, 1)
    places = [np.array([_WIDTH, _HEIGHT]) / 2 + points * scale * [1, -1]
              for points in (before, after)]  # fmt: skip
    inside = np.all([np.all((p > 4) & (p < [_WIDTH - 4, _HEIGHT - 4]), axis=1) for p in places],
                    axis=0)  # fmt: skip
    kept = np.flatnonzero(inside)
    start, end = (p[kept] for p in places)
    shown = _place_names([names[i] for i in kept], start)
    lines = "".join(f"M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}"
                    for (x, y), (u, v) in zip(start, end, strict=True))  # fmt: skip
    heads = "".join(map(_head, start, end))
    dots = "".join(f"M{x - 2:.1f} {y:.1f}a2 2 0 1 0 4 0a2 2 0 1 0-4 0" for x, y in start)
    texts = "".join(
        f'<text x="{x:.1f}" y="{y:.1f}">{escape(names[kept[i]])}</text>' for i, (x, y) in shown
    )
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{escape(label)}" '
        'font-size="12">'
        f'<path d="{lines}" stroke="var(--accent)" stroke-opacity=".75" fill="none"/>'
        f'<path d="{heads}" fill="var(--accent)"/>'
        f'<path d="{dots}" fill="var(--blue)"/>'
        '<g fill="var(--ink)" stroke="var(--paper)" stroke-width="3" paint-order="stroke" '
        f'stroke-linejoin="round">{texts}</g></svg>'
    )


def _head(start: np.ndarray, end: np.ndarray) -> str:
    """Draws the head of an arrow; none of one too short for it."""
    way = end - start
    length = float(np.hypot(*way))
    if length < 5:
        return ""
    along = way / length
    across = np.array([-along[1], along[0]])
    back = end - 5 * along
    corners = (end, back + 2.2 * across, back - 2.2 * across)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + "z"


def _place_names(names: Sequence[str], points: np.ndarray) -> list[tuple[int, tuple[float, float]]]:
    """Finds room for names beside their points: numbers of names, and where their texts begin."""
    taken: list[tuple[float, float, float, float]] = []
    shown = []
    for i, (name, (x, y)) in enumerate(zip(names, points, strict=True)):
        width = _LETTER * len(name)
        for left, base in ((x + 5, y + 4), (x - 5 - width, y + 4), (x - width / 2, y - 6),
                           (x - width / 2, y + 14)):  # fmt: skip
            box = (left - 2, base - _LINE, left + width + 2, base + 3)
            if (box[0] > 0 and box[2] < _WIDTH and box[1] > 0 and box[3] < _HEIGHT
                    and not any(_meet(box, other) for other in taken)):  # fmt: skip
                taken.append(box)
                shown.append((i, (left, base)))
                break
    return shown


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
