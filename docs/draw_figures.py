"""Draws the README's picture from a table of benchmarks.md: `python docs/draw_figures.py`."""

from pathlib import Path

from matplotlib.figure import Figure

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
    figure = Figure(figsize=(7, 2.9), layout="constrained")
    axes = figure.add_subplot()
    names = sorted(NAMES, key=errors.get, reverse=True)
    labels, values = [NAMES[name] for name in names], [errors[name] for name in names]
    colors = ["#c44e1c" if label == "jaxcompress" else "#8fa3b8" for label in labels]
    bars = axes.barh(labels, values, color=colors)
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=9)
    axes.axvline(errors[BOUND], color="#333333", linewidth=1, linestyle=":")
    axes.annotate("Gaussian bound", (errors[BOUND], 1.0), xycoords=("data", "axes fraction"),
                  xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    axes.set_xlim(0, 2.1)
    axes.set_xlabel("mean squared error, word2vec 55,568 x 300 at 16 bytes per row")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    draw(DOCS / "same_bytes.png")
