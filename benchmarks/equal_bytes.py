"""What is left of a table at equal bytes in all, codebooks, scales and rotations counted.

Command:  python benchmarks/equal_bytes.py --vectors FILE [--budget BYTES] [--kinds lsq,rq,pq]

The budget is by default that of FAISS LSQ of 32 codebooks of 16 codewords. Of each method the
largest sizes that fit are fitted (`candidates.py`) to all rows, and kept (`fits.py`): what was
fitted once is not fitted again. Integers stand below at their own bytes too, over the budget or
not. The tables go to OUT/table.md, the picture to OUT/table.png.
"""

from pathlib import Path

import bars
import candidates
import fits

import jaxcompress
from jaxcompress.engine.page.markdown import markdown_table

COLUMNS = {
    "num_bytes": ("bytes in all", ",d"),
    "mean_squared_l2": ("mean squared L2", ".4f"),
    "over_bound": ("over the bound", ".3f"),
    "same_neighbours": ("same neighbours of 10", ".1%"),
    "seconds": ("s of a processor", ",.0f"),
}


def rows(title, labelled):
    """The lines of a table of label -> figures; "skipped" where only a time was predicted."""
    cells_of = []
    for label, figures in labelled.items():
        if "predicted_seconds" in figures:
            cells = ["skipped"] + [""] * (len(COLUMNS) - 2)
            cells.append(f"{figures['predicted_seconds']:,.0f} expected")
        else:
            cells = [format(figures[name], form) for name, (_, form) in COLUMNS.items()]
        cells_of.append([label, *cells])
    return markdown_table([title, *(name for name, _ in COLUMNS.values())], cells_of)


def label_of(candidate, figures):
    chosen = figures.get("chosen")
    return f"{candidate.label} ({chosen})" if chosen else candidate.label


def best_of_each(kept):
    """The fit of least error of each kind and bits, in rising order of the error."""
    best = {}
    for candidate, figures in kept.items():
        if "mean_squared_l2" in figures:
            group = candidate.kind, candidate.bits or candidate.size[-1]
            if group not in best or figures["mean_squared_l2"] < best[group][1]["mean_squared_l2"]:
                best[group] = candidate, figures
    return dict(sorted(best.values(), key=lambda pair: pair[1]["mean_squared_l2"]))


def main():
    parser = fits.parser(__doc__.splitlines()[0])
    parser.add_argument("--budget", type=int, help="bytes in all; default: of FAISS LSQ 32x4")
    parser.add_argument("--out", help="default: out/equal_bytes/TABLE-BUDGET")
    flags, table = fits.parse(parser)
    budget = flags.budget or candidates.lsq_budget(*table.shape)
    stem = Path(flags.vectors).stem
    out = Path(flags.out or f"out/equal_bytes/{stem}-{budget}")
    out.mkdir(parents=True, exist_ok=True)
    within = candidates.within(budget, *table.shape, list(candidates.KINDS))
    kept = fits.fit_all(within, table, flags)
    integers = fits.fit_all(candidates.integers(candidates.INTEGER_BITS), table, flags)
    bound = jaxcompress.rate_distortion_bound(table, 8 * budget / len(table))
    for candidate, figures in kept.items():
        figures["kind"] = candidate.kind
        if "mean_squared_l2" in figures:
            figures["over_bound"] = figures["mean_squared_l2"] / bound
    for figures in integers.values():
        own = jaxcompress.rate_distortion_bound(table, 8 * figures["row_bytes"])
        figures["over_bound"] = figures["mean_squared_l2"] / own
    labelled = {label_of(c, figures): figures for c, figures in best_of_each(kept).items()}
    title = f"{stem}: {len(table):,} x {table.shape[1]}, {budget:,} bytes in all"
    lines = [
        title, "", *rows("best of each", labelled), "",
        f"Gaussian bound of {8 * budget / len(table):.1f} bits a row, the whole budget: mean "
        f"squared L2 {bound:.4f}. A real table is not Gaussian and can have a smaller error.",
        "", *rows("all sizes", {label_of(c, figures): figures for c, figures in kept.items()}),
        "", *rows("integers, at their own bytes and bounds",
                  {label_of(c, figures): figures for c, figures in integers.items()}),
    ]  # fmt: skip
    print(fits.write_table(lines, out))
    panels = {name: COLUMNS[name] for name in ("mean_squared_l2", "same_neighbours", "seconds")}
    if labelled:
        bars.draw(
            labelled, panels, title, out / "table.png",
            bound=bound, is_ours=lambda figures: figures["kind"].startswith("ours"),
        )  # fmt: skip


if __name__ == "__main__":
    main()
