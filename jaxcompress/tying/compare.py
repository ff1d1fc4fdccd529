"""Runs of language models side by side: figures, learning curves in one picture, predictions."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxcompress.engine.log import read_lines
from jaxcompress.engine.page.charts import Panel, save_panels
from jaxcompress.engine.page.curves import panels_of_runs
from jaxcompress.engine.page.page import Section
from jaxcompress.engine.page.sections import learning_curves, leave_comparison, runs_table
from jaxcompress.engine.report import format_rows, say
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError
from jaxcompress.storage.json_files import REWRITE, read_json
from jaxcompress.storage.places import as_path
from jaxcompress.tying.config import Config, describe
from jaxcompress.tying.predict import predict_words
from jaxcompress.tying.reader import open_reader

_BYTES = ("embedding_bytes", "classifier_bytes")  # which only tables that are not dense have
_COLUMNS = ("workdir", "variant", "num_parameters", *_BYTES, "valid_perplexity", "test_perplexity",
            "num_epochs", "best_epoch", "tokens_per_second")  # fmt: skip


def compare_runs(workdirs: Sequence[str | os.PathLike]) -> list[dict[str, Any]]:
    """Reads the figures of runs, finished or not.

    Returns:
        A row for each run: `workdir`, `variant`, and the figures of `summary.json` if it has been
        evaluated.

    Raises:
        InputError: if there is no such run, or it has no figures yet.
    """
    rows = []
    for workdir in workdirs:
        config, file = read_config(workdir, Config), as_path(workdir) / "summary.json"
        summary = read_json(file, REWRITE) if file.exists() else {}
        if not summary and not read_lines(workdir):
            raise InputError(f"workdir {workdir} has no figures yet; train first.")
        rows.append({"workdir": str(workdir), "variant": describe(config), **summary})
    return rows


def compare_predictions(
    workdirs: Sequence[str | os.PathLike], text: str = "", num_words: int = 10
) -> dict[str, list[tuple[str, float]]]:
    """Predicts the likeliest next words of a text by several runs, as the paper shows them.

    Args:
        workdirs: the folders of runs.
        text: what was said so far; "": the start of a line.
        num_words: how many words of each.

    Returns:
        By the runs' names, words and their probabilities, the likeliest first.

    Raises:
        InputError: as `open_reader` and `predict_words` do.
    """
    readers = [open_reader(workdir) for workdir in workdirs]
    found = [predict_words(reader, text, num_words) for reader in readers]
    return dict(zip(_names(workdirs), found, strict=True))


def _names(workdirs: Sequence[str | os.PathLike]) -> list[str]:
    """Names runs by variant and folder."""
    kinds = (describe(read_config(workdir, Config)) for workdir in workdirs)
    return [f"{kind} ({Path(w).name})" for kind, w in zip(kinds, workdirs, strict=True)]


def show_comparison(rows: Sequence[dict[str, Any]], picture: Path) -> None:
    """Prints the rows of `compare_runs` side by side, and draws the runs' learning curves."""
    columns = [c for c in _COLUMNS if c not in _BYTES or any(c in row for row in rows)]
    say(format_rows(rows, columns))
    panels = _panels(rows)
    if save_panels(panels, picture, "perplexity while training"):
        say(f"\nlearning curves: {picture}")
    else:
        say('\nno learning curves drawn; for them: pip install "jaxcompress[plots]"')
    leave_comparison(picture.with_suffix(".html"), "Language models", lambda: [
        learning_curves(panels, "Figures of the validation split over training steps.", 640, 340),
        Section("Figures", tables=[runs_table(rows, columns)]),
    ])  # fmt: skip


def _panels(rows: Sequence[dict[str, Any]]) -> list[Panel]:
    """Makes a panel of each figure of the runs' evaluations."""
    workdirs = [row["workdir"] for row in rows]
    return panels_of_runs(dict(zip(_names(workdirs), workdirs, strict=True)))
