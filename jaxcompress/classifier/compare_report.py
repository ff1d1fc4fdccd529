"""The page of one classifier on several tables: accuracies, and what other tables get wrong."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxcompress.classifier.predictions import Predictions, read_predictions
from jaxcompress.classifier.report import wrong_texts
from jaxcompress.data.labelled.read import LabelledText
from jaxcompress.engine.page.charts import Bars, Curve, Panel, bars, lines, to_svg
from jaxcompress.engine.page.page import Picture, Section, Table
from jaxcompress.engine.page.sections import runs_table
from jaxcompress.engine.page.text import short

COLUMNS = ("embedding", "embedding_bytes", "test_accuracy", "test_accuracy_std", "seeds",
           "valid_accuracy", "train_seconds", "texts_per_second")  # fmt: skip
_WRONG = 6  # texts that are shown of each table


def compare_sections(
    rows: Sequence[Mapping[str, Any]], folders: Sequence[Path], text: LabelledText
) -> list[Section]:
    """Makes the sections of the page.

    Args:
        rows: the figures of each table; the first is the one that others are compared with.
        folders: of their runs.
        text: the texts.
    """
    names = [short(row["embedding"], 40) for row in rows]
    accuracies = [row["test_accuracy"] for row in rows]
    sizes = [row["embedding_bytes"] / 1e6 for row in rows]
    groups = [Bars(accuracies, "test accuracy", ".4f"), Bars(sizes, "megabytes", ".3g")]
    chart = bars(names, groups, marked=[i > 0 for i in range(len(rows))])
    points = lines(accuracy_panel(rows), 640, 340)
    return [
        Section(
            "Accuracy by table",
            "The same classifier, with the same seeds and in the same order, on each table, and a "
            "linear layer over the mean of the vectors.",
            [Picture(to_svg(chart, "Test accuracy and bytes of each table"), wide=True)],
            [runs_table(rows, COLUMNS)],
        ),
        Section(
            "Accuracy and bytes",
            pictures=[Picture(to_svg(points, "Accuracy over bytes"))],
        ),
        *_lost(names, folders, text),
    ]


def accuracy_panel(rows: Sequence[Mapping[str, Any]]) -> Panel:
    """Makes a point of the test accuracy over bytes for each table."""
    curves = {
        row["embedding"]: Curve([(row["embedding_bytes"], row["test_accuracy"])], "points")
        for row in rows
    }
    return Panel(curves, "", "bytes of the table", "test accuracy", "x")


def _lost(names: Sequence[str], folders: Sequence[Path], text: LabelledText) -> Iterator[Section]:
    """Texts that the first table gets right and another one, as codes are, wrong."""
    found = [_first_seed(folder) for folder in folders]
    first = found[0]
    if first is None:
        return
    others = [(name, one) for name, one in zip(names[1:], found[1:], strict=True) if one]
    if others:
        yield Section(
            "Texts that changed sides",
            f"Of {len(first.texts):,} test texts, by the first seed, against {names[0]}.",
            tables=[Table(
                ["", "wrong, where that is right", "right, where that is wrong", "both wrong"],
                [[name, *_sides(first, one)] for name, one in others],
            )],
        )  # fmt: skip
    for name, one in others:
        lost = np.flatnonzero(first.is_right & ~one.is_right)
        worst = lost[np.argsort(-one.probability[lost], kind="stable")][:_WRONG]
        if len(worst):
            yield Section(
                f"What {name} gets wrong",
                f"and {names[0]} gets right; those of most confidence first.",
                tables=[wrong_texts(one, worst, text)],
            )


def _sides(first: Predictions, one: Predictions) -> tuple[int, int, int]:
    before, now = first.is_right, one.is_right
    return int((before & ~now).sum()), int((~before & now).sum()), int((~before & ~now).sum())


def _first_seed(folder: Path) -> Predictions | None:
    """The predictions of a run, or of the first of its seeds."""
    seeds = sorted(folder.glob("seed-*"), key=lambda path: int(path.name.partition("-")[2]))
    return read_predictions(seeds[0] if seeds else folder)
