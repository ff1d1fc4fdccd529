"""The page of a classifier: its accuracy, its confusion, the texts that it got wrong.

Axis letters: C classes.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxcompress.classifier.config import Config
from jaxcompress.classifier.corpus import read_texts
from jaxcompress.classifier.predictions import Predictions, read_predictions
from jaxcompress.data.labelled.read import LabelledText
from jaxcompress.engine.origin import read_origin
from jaxcompress.engine.page.cells import draw_cells
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
from jaxcompress.engine.page.sections import learning_curves
from jaxcompress.engine.page.text import percent, short, show_bytes
from jaxcompress.engine.workdir import read_config
from jaxcompress.storage.places import reachable

_WRONG, _LETTERS = 12, 280  # texts that are shown, and letters of each
_CLASSES = 8  # at most in a table of the confusion: of more there is a picture
_NAMED = 40  # classes up to which the lines of a picture have their names


def write_report(workdir: str | os.PathLike) -> Path:
    """Writes `WORKDIR/report.html` of a finished run anew; returns the file.

    Raises:
        InputError: if there is no run, it is not finished, or its texts are not where they were.
    """
    path = reachable(workdir)
    config = read_config(path, Config)
    read_summary(path)  # before texts are read
    text = read_texts(config)
    return write_page(path / REPORT, lambda: make_page(path, config, text))


def make_page(workdir: Path, config: Config, text: LabelledText) -> Page:
    """Makes the page of a run, of one seed or of several.

    Args:
        workdir: the run's folder.
        config: the run's.
        text: its texts.
    """
    found = read_summary(workdir)
    accuracy = percent(found["test_accuracy"])
    tiles = {
        "of the test texts are right": accuracy,
        "of those held out to choose by": percent(found["valid_accuracy"]),
        "bytes of the table of words": show_bytes(found["embedding_bytes"]),
        "words × dimensions": f"{found['num_words']:,} × {found['dim']}",
        "of the test tokens are among them": percent(found["test_known_tokens"]),
    }
    if "num_seeds" in found:
        tiles[f"standard deviation of {found['num_seeds']} seeds"] = (
            f"{100 * found['test_accuracy_std']:.2f} points")  # fmt: skip
    return Page(
        kind="Texts classified by their words' vectors",
        title=f"{found['dataset']}: {found['embedding']}, {accuracy} right",
        lead=f"{len(text.texts['train']):,} texts to learn from, {found['test_texts']:,} to test, "
        f"of {found['num_classes']} classes: {', '.join(map(str, text.classes[:8]))}"
        f"{', …' if len(text.classes) > 8 else '.'}",
        tiles=tiles,
        sections=list(_sections(workdir, found, text)),
        origin=read_origin(workdir),
    )


def _sections(workdir: Path, found: dict[str, Any], text: LabelledText) -> Iterator[Section]:
    if "test_accuracies" in found:
        first = found["test_accuracies"]
        rows = [[f"seed {i + 1} of {len(first)}", value] for i, value in enumerate(first)]
        yield Section("Seeds", "Each has a report of its own.",
                      tables=[Table(["", "test accuracy"], rows)])  # fmt: skip
    predictions = read_predictions(workdir)
    if predictions is not None:
        yield confusion_section(predictions, text.classes)
        yield _wrong(predictions, text)
    if panels := panels_of_run(workdir):
        yield learning_curves(panels)


def confusion_section(predictions: Predictions, classes: Sequence[str]) -> Section:
    """How many texts of each class were taken for each."""
    size = len(classes)
    counts = np.zeros((size, size), int)
    np.add.at(counts, (predictions.labels, predictions.found), 1)
    of = f"Of {len(predictions.texts):,} test texts: "
    if size > _CLASSES:
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        names = [short(str(name), 30) for name in classes] if size <= _NAMED else ()
        svg = draw_cells(shares, "Shares of texts of each class that were taken for each",
                         x_label="taken for, in the same order", y_label="class",
                         row_names=names)  # fmt: skip
        text = "the fuller the colour, the larger the share of a class that was taken for another."
        return Section("Confusion", of + text, [Picture(svg)])
    rows = [
        [short(str(name), 30), *(
            [Word(f"{count:,}", "good" if i == j else "bad" if count else "")]
            for j, count in enumerate(counts[i]))]
        for i, name in enumerate(classes)
    ]  # fmt: skip
    head = ["", *(f"taken for {short(str(name), 30)}" for name in classes)]
    return Section("Confusion", of + "what they are, by rows, and what they were taken for.",
                   tables=[Table(head, rows)])  # fmt: skip


def _wrong(predictions: Predictions, text: LabelledText) -> Section:
    """The texts that were taken for another class with most confidence."""
    wrong = np.flatnonzero(~predictions.is_right)
    worst = wrong[np.argsort(-predictions.probability[wrong], kind="stable")][:_WRONG]
    return Section(
        "Texts that were taken for another class",
        f"{len(wrong):,} of {len(predictions.texts):,}; those of most confidence first.",
        tables=[wrong_texts(predictions, worst, text)] if len(worst) else (),
    )


def wrong_texts(predictions: Predictions, chosen: np.ndarray, text: LabelledText) -> Table:
    """Lists texts with what they are and what they were taken for; `chosen` int [n]."""
    rows = [
        [
            [Word(str(text.classes[predictions.labels[i]]), "good")],
            [Word(str(text.classes[predictions.found[i]]), "bad")],
            float(predictions.probability[i]),
            short(" ".join(text.texts["test"][predictions.texts[i]].split()), _LETTERS),
        ]
        for i in chosen
    ]
    return Table(["is", "taken for", "probability", "text"], rows)
