"""Sections of the page of a run: its rows and its codewords, before and after.

Axis letters: N rows, D dimensions, M codebooks, K codewords.
"""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.before_after import nearest_rows, neighbours_section
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.dccl.config import Config
from jaxcompress.engine.page.arrows import draw_map
from jaxcompress.engine.page.cells import draw_cells
from jaxcompress.engine.page.charts import Band, bands, histogram, to_svg
from jaxcompress.engine.page.page import Picture, Section
from jaxcompress.engine.page.text import percent, short

NEIGHBOURS = 10  # of each word
_MOST_ROWS = 20_000  # whose errors, covariance and neighbours are looked at
_QUERIES = 200  # rows whose neighbours are counted
_MAP_WORDS = 250
_MAP_SIZE = 64, 128  # codebooks and codewords of the map of their use, at most


class Run(NamedTuple):
    """What a page is made of.

    Attributes:
        workdir: the run's folder.
        config: the run's.
        vectors: the table before.
        codes: the table after.
        summary: the figures of `summary.json`.
    """

    workdir: Path
    config: Config
    vectors: Vectors
    codes: Codes
    summary: dict[str, Any]


class Sample:
    """The first rows of the table, where it is large, before and after."""

    def __init__(self, run: Run):
        self.before = np.asarray(run.vectors.rows[:_MOST_ROWS], np.float32)
        self.after = run.codes.decode(np.arange(len(self.before)))
        self.spread = float(np.square(self.before - self.before.mean(axis=0)).sum(axis=1).mean())
        self.errors = np.square(self.before - self.after).sum(axis=1)
        self.relative = self.errors / (self.spread or 1.0)
        self.rows = f"the first {len(self.before):,} rows" if (
            len(self.before) < run.codes.num_rows) else "all rows"  # fmt: skip

    def kept_neighbours(self) -> float:
        """The share of the nearest neighbours that codes keep, over rows spread over the sample."""
        count = len(self.before)
        ids = np.unique(np.linspace(0, count - 1, min(count, _QUERIES)).astype(int))
        before, after = (nearest_rows(rows, list(ids), NEIGHBOURS)
                         for rows in (self.before, self.after))  # fmt: skip
        same = [len({i for i, _ in a} & {i for i, _ in b}) / max(len(a), 1)
                for a, b in zip(before, after, strict=True)]  # fmt: skip
        return float(np.mean(same))


def neighbours(run: Run) -> Section:
    """Neighbours before and after of the config's words, or else of some frequent rows."""
    codes, words = run.codes, [w for w in run.config.sample_words if w in run.codes]
    if not words:
        most = min(codes.num_rows, 2000)
        words = [codes.word_of(i) for i in np.unique(np.geomspace(1, most, 6).astype(int) - 1)]
    return neighbours_section(run.vectors.rows, codes, words, NEIGHBOURS)


def word_map(run: Run, sample: Sample) -> Section:
    before, after = sample.before[:_MAP_WORDS], sample.after[:_MAP_WORDS]
    mean = before.mean(axis=0)
    _, values, axes = np.linalg.svd(before - mean, full_matrices=False)
    axes = np.concatenate([axes[:2], np.zeros((2, before.shape[1]))])[:2]
    share = float(np.square(values[:2]).sum() / max(np.square(values).sum(), 1e-30))
    names = [short(run.codes.word_of(i), 18) for i in range(len(before))]
    svg = draw_map((before - mean) @ axes.T, (after - mean) @ axes.T, names,
                   "Where frequent rows were, and where their codes put them")  # fmt: skip
    return Section(
        "Where rows moved",
        f"The first {len(before)} rows in the plane of their two main components, which have "
        f"{percent(share, 0)} of their variance: a dot "
        "where the row was, an arrow to where codes put it.",
        [Picture(svg, wide=True)],
    )


def row_errors(sample: Sample) -> Section:
    count = len(sample.relative)
    edges = np.unique(np.geomspace(1, count + 1, 25).astype(int))
    parts = [sample.relative[a - 1 : b - 1] for a, b in itertools.pairwise(edges)]
    centres = [float(np.sqrt(a * (b - 1))) for a, b in itertools.pairwise(edges)]
    shares = (0.1, 0.25, 0.5, 0.75, 0.9)
    low, quarter, middle, three, high = np.array([np.quantile(part, shares) for part in parts]).T
    band = Band(centres, middle, (quarter, three), (low, high))
    shown = sample.relative[sample.relative <= np.quantile(sample.relative, 0.995)]
    error = "squared error / variance"
    return Section(
        "Errors of single rows",
        f"Of {sample.rows}, over the mean squared distance of a row to their mean. Rank is the "
        "place in the table: most files have frequent words first.",
        [
            Picture(to_svg(histogram(shown, error, "rows"), "Errors of rows, how many of each")),
            Picture(to_svg(bands(band, "rank of the row", error), "Errors of rows over rank")),
        ],
    )


def usage(codes: Codes) -> Section:
    """How often codewords are used, those of a codebook by their use; unused ones are ringed."""
    counts = np.stack([np.bincount(c, minlength=codes.num_codewords) for c in codes.codes.T])
    dead = int((counts == 0).sum())
    most_books, most_words = _MAP_SIZE
    columns = np.unique(
        np.linspace(0, codes.num_codewords - 1, min(codes.num_codewords, most_words)).astype(int)
    )
    shown = -np.sort(-counts, axis=1)[:most_books, columns]
    note = "" if shown.shape == counts.shape else (
        f" Of {counts.shape[0]:,} × {counts.shape[1]:,} codewords {shown.shape[0]} × "
        f"{shown.shape[1]} are shown.")  # fmt: skip
    label = "How many rows use each codeword"
    svg = draw_cells(shown / max(shown.max(), 1), label, x_label="codewords, the most used first",
                     y_label="codebooks", ringed=shown == 0)  # fmt: skip
    return Section(
        "Use of the codewords",
        f"How many rows use each codeword: the fuller the colour, the more, {shown.max():,} at "
        f"most. Codewords that no row uses have a ring; there are {dead or 'none'}.{note}",
        [Picture(svg, wide=True)],
    )
