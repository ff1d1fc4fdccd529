"""Draws the README's picture from a table of benchmarks.md: `python docs/draw_figures.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from jaxcompress.engine.page.charts import Bars, bars, save_png

DOCS = Path(__file__).parent
NAMES = {
    "jaxcompress 32 x 16": "jaxcompress",
    "FAISS OPQ16,PQ16x8": "FAISS OPQ",
    "FAISS LSQ 32 x 4 bits, its defaults": "FAISS LSQ",
    "FAISS RQ 32 x 4 bits, beam 5": "FAISS RQ",
    "the same, without refinement": "jaxcompress, unrefined",
    "PCA to 32, int4": "PCA, int4",
    "the paper's training, 2.5 million rows seen": "DCCL as published",
    "FAISS PQ16x8": "FAISS PQ",
}
BOUND = "Gaussian bound of 128 bits"


def read_errors() -> dict[str, float]:
    """The errors of w2v, by the names of the table's first column."""
    rows = [line.split("|")[1:3] for line in (DOCS / "benchmarks.md").read_text().splitlines()
            if line.startswith("|")]  # fmt: skip
    return {name.strip(): float(value.strip(" *")) for name, value in rows
            if name.strip() in {*NAMES, BOUND}}  # fmt: skip


def draw(path: Path) -> None:
    """Writes a picture of bars, the least error at the top."""
    errors = read_errors()
    names = sorted(NAMES, key=errors.get)
    title = "mean squared error, word2vec 55,568 x 300 at 16 bytes per row"
    figure = bars(
        [NAMES[name] for name in names],
        [Bars([errors[name] for name in names], title)],
        marked=[NAMES[name] == "jaxcompress" for name in names],
        bound=errors[BOUND],
        width=620,
    )
    save_png(figure, path)


if __name__ == "__main__":
    draw(DOCS / "same_bytes.png")
