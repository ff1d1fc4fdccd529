"""The error of a table over bytes a row, all bytes counted: ours, FAISS, integers, and the bound.

Command:  python benchmarks/error_curve.py --vectors FILE [--bytes 32,64,85,123] [--kinds prq,int]

Bytes a row are all bytes over the number of rows: codebooks count too. At each of them stand the
largest sizes of FAISS's PRQ and PLSQ that fit (`candidates.py`), and what `compress` makes of it.
Integers of 2, 3 and 4 bits stand at their own bytes. Fits are kept, and shared with
`equal_bytes.py` (`fits.py`). The table goes to OUT/table.md, the picture to OUT/curve.png.
"""

from pathlib import Path

import candidates
import fits
import numpy as np

import jaxcompress
from jaxcompress.dccl.report import error_panel
from jaxcompress.engine.page.charts import Curve, lines, save_png
from jaxcompress.engine.page.markdown import markdown_table

SERIES = {
    "ours": "ours",
    "ours32": "ours, float32 codebooks",
    "plsq": "FAISS PLSQ, the best size",
    "prq": "FAISS PRQ, the best size",
    "int": "integers in groups of 64 and 32",
}
SIZED = [kind for kind in SERIES if kind != "int"]  # what is given a number of bytes


def curve(kept, budget):
    """kind -> the label and figures of its fit of least error within a budget of bytes in all."""
    best = {}
    for candidate, figures in kept.items():
        if figures.get("num_bytes", budget + 1) <= budget:
            error = figures["mean_squared_l2"]
            if candidate.kind not in best or error < best[candidate.kind][1]["mean_squared_l2"]:
                best[candidate.kind] = candidate.label, figures
    return best


def draw(points, bound, title, path):
    """Draws errors over bytes a row, as a run's report does.

    Args:
        points: kind -> bytes a row and errors, in rising order.
        bound: bytes a row and errors of the bound.
        title: of the picture.
        path: of the PNG.
    """
    colours = {"ours": "accent", "ours32": "gold", "plsq": "blue", "prq": "green", "int": "grey"}
    curves = {"Gaussian bound": Curve(list(zip(*bound, strict=True)), "dashed", "ink")}
    for kind, measured in points.items():
        style = "points" if kind == "int" else "line"
        curves[SERIES[kind]] = Curve(list(zip(*measured, strict=True)), style, colours[kind])
    save_png(lines(error_panel(curves, title), 640, 400), path)


def main():
    parser = fits.parser(__doc__.splitlines()[0])
    parser.add_argument("--bytes", default="32,64,85,123", help="bytes a row, in all")
    parser.add_argument("--out", help="default: out/error_curve/TABLE")
    flags, table = fits.parse(parser)
    num_rows, dim = table.shape
    stem = Path(flags.vectors).stem
    out = Path(flags.out or f"out/error_curve/{stem}")
    out.mkdir(parents=True, exist_ok=True)
    budgets = [int(n) * num_rows for n in flags.bytes.split(",")]
    found = [candidates.within(budget, num_rows, dim, SIZED) for budget in budgets]
    tried = list(dict.fromkeys(candidate for some in found for candidate in some))
    kept = fits.fit_all(tried, table, flags)
    integers = fits.fit_all(candidates.integers((2, 3, 4)), table, flags)

    bound = lambda row_bytes: jaxcompress.rate_distortion_bound(table, 8 * row_bytes)
    title = f"{stem}: {num_rows:,} x {dim}"
    head = ["bytes a row, in all", "", "mean squared L2", "over the bound", "same neighbours of 10"]
    points, rows, cells = {}, [], []
    for budget in budgets:
        rows += [(kind, *best) for kind, best in curve(kept, budget).items()]
    rows += [("int", candidate.label, figures) for candidate, figures in integers.items()]
    for kind, label, figures in sorted(rows, key=lambda row: row[2]["num_bytes"]):
        row_bytes, error = figures["num_bytes"] / num_rows, figures["mean_squared_l2"]
        if figures.get("chosen"):
            label = f"{label} ({figures['chosen']})"
        over = error / bound(row_bytes)
        cells.append([f"{row_bytes:.1f}", label, f"{error:.4f}", f"{over:.3f}",
                      f"{figures['same_neighbours']:.1%}"])  # fmt: skip
        points.setdefault(kind, ([], []))
        points[kind][0].append(row_bytes)
        points[kind][1].append(error)
    skipped = [
        f"{candidate.label} ({figures['predicted_seconds']:,.0f} s)"
        for candidate, figures in kept.items()
        if "predicted_seconds" in figures
    ]
    lines = [title, "", *markdown_table(head, cells)]
    if skipped:
        lines += ["", f"Not fitted, since it would take too long: {', '.join(skipped)}."]
    print(fits.write_table(lines, out))
    if points:
        most = max(max(row_bytes) for row_bytes, _ in points.values())
        axis = np.geomspace(8, most, 40)
        draw(points, (axis, [bound(n) for n in axis]), title, out / "curve.png")


if __name__ == "__main__":
    main()
