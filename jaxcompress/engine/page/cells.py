"""Pictures of matrices: a square for each entry, the darker the larger."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from markupsafe import Markup

_LEVELS = 6  # of opacity
_LETTER = 6.6  # width of a letter, about


def draw_cells(
    shares: np.ndarray,
    label: str,
    *,
    x_label: str,
    y_label: str,
    colour: str = "blue",
    ringed: np.ndarray | None = None,
    width: float = 840,
    most: float = 16,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
) -> "Markup":
    """Draws a matrix.

    Args:
        shares: float [rows, columns], in [0, 1]; entries of 0 are left blank.
        label: what it shows, for those who do not see it.
        x_label: what the columns are.
        y_label: what the rows are.
        colour: a name of the palette.
        ringed: bool [rows, columns], entries that get a ring.
        width: of the picture at most, in pixels.
        most: width of a cell at most.
        row_names: names of the rows, if they are to be read; cells need room for them.
        column_names: names of the columns, if they are to be read.
    """
    from markupsafe import Markup, escape

    num_rows, num_columns = shares.shape
    left = 24 + _LETTER * max(map(len, row_names), default=0)
    top = 4 + _LETTER * max(map(len, column_names), default=0)
    cell = min(most, (width - left - 6) / num_columns)
    height = cell if num_rows * cell <= 480 else max(1.5, 480 / num_rows)
    gap = 0.12 * min(cell, height)
    right, bottom = left + num_columns * cell, top + num_rows * height
    level = np.ceil(np.clip(shares, 0, 1) * _LEVELS).astype(int)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right + 6:.0f} {bottom + 24:.0f}" '
        f'width="{right + 6:.0f}" height="{bottom + 24:.0f}" role="img" '
        f'aria-label="{escape(label)}" font-size="11">'
        f'<rect x="{left}" y="{top}" width="{right - left:.1f}" height="{bottom - top:.1f}" '
        'fill="var(--panel)"/>'
    ]
    for number in range(1, _LEVELS + 1):
        at = np.argwhere(level == number)
        if len(at):
            boxes = "".join(
                f"M{left + j * cell + gap:.1f} {top + i * height + gap:.1f}"
                f"h{cell - 2 * gap:.1f}v{height - 2 * gap:.1f}h-{cell - 2 * gap:.1f}z"
                for i, j in at
            )
            opacity = 0.1 + 0.9 * number / _LEVELS
            parts.append(f'<path fill="var(--{colour})" fill-opacity="{opacity:.2f}" d="{boxes}"/>')
    if ringed is not None:
        parts += [
            f'<circle cx="{left + (j + 0.5) * cell:.1f}" cy="{top + (i + 0.5) * height:.1f}" '
            f'r="{0.34 * min(cell, height):.1f}" fill="none" stroke="var(--accent)" '
            'stroke-width="1.5"/>'
            for i, j in np.argwhere(ringed)
        ]
    parts += [
        f'<text x="{left - 5}" y="{top + (i + 0.5) * height + 4:.1f}" text-anchor="end" '
        f'fill="var(--ink)">{escape(name)}</text>'
        for i, name in enumerate(row_names)
    ]
    parts += [
        f'<text transform="translate({left + (j + 0.5) * cell + 4:.1f} {top - 4:.1f}) rotate(-90)" '
        f'fill="var(--ink)">{escape(name)}</text>'
        for j, name in enumerate(column_names)
    ]
    below = f"{x_label} →"
    if bottom - top < 8 * len(y_label):  # no room beside the picture
        below += f", {y_label} ↓"
    else:
        parts.append(
            f'<text transform="translate(14 {bottom:.1f}) rotate(-90)" fill="var(--muted)">← '
            f"{escape(y_label)}</text>"
        )
    parts.append(
        f'<text x="{left}" y="{bottom + 16:.1f}" fill="var(--muted)">{escape(below)}</text></svg>'
    )
    return Markup("".join(parts))
