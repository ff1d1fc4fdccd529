"""The page of a run over ratings: its result, its transforms, what its anchors stand for.

Axis letters: V rows of a table, K anchors.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.anchors.files import ANCHORS_FILE
from jaxcompress.ant.config import Config
from jaxcompress.ant.export import is_sparse
from jaxcompress.ant.inspect import Anchor, inspect_users, inspect_weights
from jaxcompress.ant.model import SIDES
from jaxcompress.ant.summary import COLUMNS
from jaxcompress.data.ratings.files import find_ratings
from jaxcompress.data.ratings.planted import PLANTED
from jaxcompress.data.ratings.titles import read_titles
from jaxcompress.engine.origin import read_origin
from jaxcompress.engine.page.cells import draw_cells
from jaxcompress.engine.page.charts import histogram, to_svg
from jaxcompress.engine.page.curves import panels_of_run
from jaxcompress.engine.page.page import (
    REPORT,
    Page,
    Picture,
    Section,
    Table,
    Word,
    read_summary,
    write_page,
)
from jaxcompress.engine.page.sections import learning_curves, runs_table
from jaxcompress.engine.page.text import percent, short, show_bytes
from jaxcompress.engine.workdir import read_config
from jaxcompress.loading import load_anchors
from jaxcompress.storage.places import reachable

_MOST_ROWS, _MOST_CELLS = 240, 9600  # of the picture of a transform
_MOST_ANCHORS, _ITEMS = 60, 6  # that are listed, and items of each
_BRIGHTEST = 0.98  # the quantile of weights that has the full colour


class Run(NamedTuple):
    """What a page is made of.

    Attributes:
        workdir: the run's folder.
        config: the run's.
        summary: the figures of `summary.json`.
        tables: the exported tables; None if the run's have no zeros.
    """

    workdir: Path
    config: Config
    summary: dict[str, Any]
    tables: SparseAnchors | None


def write_report(workdir: str | os.PathLike) -> Path:
    """Writes `WORKDIR/report.html` of a finished run anew; returns the file.

    Raises:
        InputError: if there is no run, or it is not finished.
    """
    path = reachable(workdir)
    config = read_config(path, Config)
    return write_page(path / REPORT, lambda: make_page(path, config))


def make_page(workdir: Path, config: Config) -> Page:
    """Makes the page of a run of what its workdir holds."""
    file = workdir / "export" / ANCHORS_FILE
    summary, tables = read_summary(workdir), None
    if file.exists() and is_sparse(config):
        tables = load_anchors(file)
    run = Run(workdir, config, summary, tables)
    return Page(
        kind="Ratings from sparse mixes of anchors" if tables else "Ratings",
        title=f"{summary['dataset']}: {summary['method']}, test MSE {summary['test_mse']:.4f}",
        lead=_lead(run),
        tiles=_tiles(run),
        sections=list(_sections(run)),
        origin=read_origin(workdir),
    )


def _lead(run: Run) -> str:
    found = run.summary
    what = ""
    if "num_anchors" in found:
        users, items = found["num_anchors"]
        what = f" are mixes of {users} and {items} anchors,"
    return (
        f"{found['num_users']:,} users and {found['num_items']:,} items of "
        f"{run.config.model.latent_dim} dimensions{what} learned from "
        f"{found['train_ratings']:,} ratings: {found['parameters']:,} parameters, where a dense "
        f"table has {found['dense_parameters']:,}."
    )


def _tiles(run: Run) -> dict[str, str]:
    found = run.summary
    tiles = {
        "mean squared error of test ratings": f"{found['test_mse']:.4f}",
        "root of it, in ratings": f"{found['test_rmse']:.4f}",
        "parameters that are not 0": f"{found['parameters']:,}",
        "times fewer than a dense table has": f"{found['compression_ratio']:.1f}",
        "as stored": show_bytes(found["stored_bytes"]),
    }
    if "file_bytes" in found:
        tiles["the file, names of rows and all"] = show_bytes(found["file_bytes"])
    if "planted_anchors" in found:
        users, items = found.get("num_anchors", ("none", "none"))
        planted = f"anchors of users and items, where {found['planted_anchors']} are planted"
        tiles[planted] = f"{users}, {items}"
    return tiles


def _sections(run: Run) -> Iterator[Section]:
    if run.tables is not None:
        yield _transforms(run.tables)
        if run.config.model.table == "anchors":
            yield _anchors(run)
        yield _entries(run.tables)
    if "baselines" in run.summary:
        yield _baselines(run.summary)
    yield learning_curves(panels_of_run(run.workdir))


def _baselines(summary: dict[str, Any]) -> Section:
    """The run beside the simplest predictions; of a stream, window by window too."""
    rows = [summary, *summary["baselines"]]
    tables = [runs_table(rows, [name for name in COLUMNS if name in summary])]
    if windows := summary.get("windows"):
        tables.append(runs_table(windows, list(windows[0])))
    return Section(
        "Beside the simplest predictions",
        "The mean of all ratings, of each item, and biases of users and items, fitted to the same "
        "ratings; means are shrunk by as much as serves the validation ratings best.",
        tables=tables,
    )


def _weights(table: SparseAnchors) -> np.ndarray:
    """Entries of T times the norms of the anchors, without the mean row's: float [V, K]."""
    transform = table.to_csr()[:, :-1].toarray()
    return transform * np.linalg.norm(table.anchors[:-1], axis=1)


def _transforms(tables: SparseAnchors) -> Section:
    """Both transforms as pictures, rows that lean on the same anchor side by side."""
    pictures = []
    for side in SIDES:
        weights = np.abs(_weights(tables.part(side)))
        most = max(1, min(_MOST_ROWS, _MOST_CELLS // max(weights.shape[1], 1)))
        ids = np.unique(np.linspace(0, len(weights) - 1, min(len(weights), most)).astype(int))
        shown = weights[ids]
        shown = shown[:, np.argsort(-(shown > 0).sum(axis=0), kind="stable")]
        largest = shown.max(axis=1, initial=0)
        order = np.lexsort((-largest, shown.argmax(axis=1), largest == 0))  # empty rows at the end
        positive = shown[shown > 0]
        full = float(np.quantile(positive, _BRIGHTEST)) if len(positive) else 1.0
        svg = draw_cells(
            shown[order] / full,
            f"The transform of {side}",
            x_label="anchors, the most used first",
            y_label=side,
            width=410,
        )
        share = (weights > 0).mean()
        caption = (
            f"{side}: {100 * share:.0f} % of {weights.shape[0]:,} × {weights.shape[1]} entries"
        )
        if len(ids) < len(weights):
            caption += f"; {len(ids)} rows are shown"
        pictures.append(Picture(svg, f"{caption}."))
    return Section(
        "Who is a mix of what",
        "Each row is a user or an item, each column an anchor; the fuller the colour, the more of "
        "the anchor is in the row, and what is blank is 0. Rows that have most of the same anchor "
        "stand together.",
        pictures,
    )


def _anchors(run: Run) -> Section:
    """What each anchor stands for."""
    users, items = (run.tables.part(side) for side in SIDES)
    titles = {} if run.config.data.path == PLANTED else _titles(run.config)
    of_items = inspect_weights(_weights(items), items.words, titles, _ITEMS)
    tables = [_anchors_table(of_items, "items", "the items of most weight")]
    if run.config.model.network == "product":
        raised = items.decode() @ users.anchors[:-1].T
        of_users = inspect_users(_weights(users), users.words, raised, items.words, titles, _ITEMS)
        tables.append(_anchors_table(of_users, "users", "the items whose ratings it raises most"))
    text = (
        "Anchors of the items by what leans on them most, and of the users by what those like who "
        f"lean on them, the most used first, {_MOST_ANCHORS} at most."
    )
    if titles:
        text += (
            " The genre is the most frequent one among these items, with the share of them that "
            "have it, and, in brackets, of all items."
        )
    return Section("What the anchors stand for", text, tables=tables)


def _anchors_table(anchors: list[Anchor], side: str, items: str) -> Table:
    found = sorted((a for a in anchors if a.num_items), key=lambda anchor: -anchor.num_items)
    has_genres = any(anchor.genre for anchor in found)
    head = ["anchor", side, *(["genre"] if has_genres else []), items]
    return Table(head, [_anchor_row(anchor, has_genres) for anchor in found[:_MOST_ANCHORS]])


def _anchor_row(anchor: Anchor, has_genres: bool) -> Sequence[Any]:
    genre = ""
    if anchor.genre:
        genre = f"{anchor.genre} {percent(anchor.purity, 0)} ({percent(anchor.share, 0)})"
    items = [Word(short(item.title, 40)) for item in anchor.items]
    return [anchor.number, anchor.num_items, *([genre] if has_genres else []), items]


def _titles(config: Config) -> dict[str, Any]:
    """Titles beside the ratings; none if they have moved."""
    try:
        _, source = find_ratings(config.data.path)
        return read_titles(str(source))
    except (OSError, ValueError):
        return {}


def _entries(tables: SparseAnchors) -> Section:
    pictures = [
        Picture(
            to_svg(
                histogram(tables.part(side).counts, f"entries of a row of {side}", side),
                f"How many entries rows of {side} have",
            )
        )
        for side in SIDES
    ]
    return Section("How many anchors a row has", "", pictures)
