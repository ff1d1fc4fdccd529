"""The page of a language model: its perplexity, what it writes, its table before and after.

Axis letters: V words, D units.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxcompress.codes.before_after import nearest_rows, neighbours_section
from jaxcompress.data.text.corpus import END, UNKNOWN
from jaxcompress.engine.origin import read_origin
from jaxcompress.engine.page.charts import Bars, bars, lines, to_svg
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
from jaxcompress.engine.page.text import short, show_bytes
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError
from jaxcompress.loading import load
from jaxcompress.storage.json_files import read_json
from jaxcompress.storage.places import reachable
from jaxcompress.tying.config import Config
from jaxcompress.tying.generate import generate_text
from jaxcompress.tying.reader import Reader, open_reader

CODES = "codes.json"  # in a workdir: figures of codes in the table's place, and where they are
_TEMPERATURE, _TOKENS = 0.8, 80  # of the text that is drawn
_WORDS, _NEIGHBOURS = 12, 8
_FREQUENT = 40, 1000  # ranks of the words that are looked at: before them are mostly articles


def write_report(workdir: str | os.PathLike) -> Path:
    """Writes `WORKDIR/report.html` of a finished run anew; returns the file.

    Raises:
        InputError: if there is no run, or it is not finished.
    """
    path = reachable(workdir)
    config = read_config(path, Config)
    read_summary(path)  # before the model is opened
    reader = open_reader(path, config)
    return write_page(path / REPORT, lambda: make_page(path, config, reader))


def make_page(workdir: Path, config: Config, reader: Reader) -> Page:
    """Makes the page of a run.

    Args:
        workdir: the run's folder.
        config: the run's.
        reader: its best state.
    """
    found = read_summary(workdir)
    perplexity = found["test_perplexity"]
    table = "one table for input and output" if config.model.reuse_embedding else (
        "a table for the input and one for the output")  # fmt: skip
    return Page(
        kind="Language model",
        title=f"{found['dataset']}: {found['variant']}, test perplexity {perplexity:.1f}",
        lead=f"{found['vocab_size']:,} words, learned from {found['train_tokens']:,} tokens; "
        f"{found['num_parameters']:,} parameters, with {table}.",
        tiles={
            "perplexity of the test split": f"{perplexity:.2f}",
            "of the validation split": f"{found['valid_perplexity']:.2f}",
            "parameters": f"{found['num_parameters']:,}",
            **{
                f"the {name}: {table.describe()}": show_bytes(found[f"{name}_bytes"])
                for name, table in config.table_configs().items()
                if table.kind != "dense"
            },
            "epochs until the best state": f"{found['best_epoch']:.3g}",
            "tokens a second in training": f"{found['tokens_per_second']:,.0f}",
        },
        sections=list(_sections(workdir, config, reader)),
        origin=read_origin(workdir),
    )


def _sections(workdir: Path, config: Config, reader: Reader) -> Iterator[Section]:
    panels = panels_of_run(workdir)
    yield _perplexities([p for p in panels if p.title == "perplexity"])
    yield _sample(reader, config.seed)
    yield _neighbours(reader)
    yield from _as_codes(workdir, reader)
    yield learning_curves([p for p in panels if p.title != "perplexity"])


def _perplexities(panels: list[Any]) -> Section:
    shown = [lines(panel._replace(title="", y_label="perplexity"), 640, 320) for panel in panels]
    pictures = [Picture(to_svg(chart, "Perplexity")) for chart in shown]
    return Section(
        "Perplexity",
        "Of the batch of each step, and of the validation split, which is read in several lanes "
        "while training goes on. The figures above are of whole splits, read as one.",
        pictures,
    )


def _sample(reader: Reader, seed: int) -> Section:
    """A text that the model draws, from the start of a line on."""
    return Section(
        "What it writes",
        f"{_TOKENS} words that it draws, from the start of a line on, at a temperature of "
        f"{_TEMPERATURE}. {UNKNOWN} stands for any rare word.",
        quotes=[generate_text(reader, "", _TOKENS, _TEMPERATURE, seed)],
    )


def _frequent(words: list[str]) -> list[int]:
    """Numbers of frequent words, which stand first; those that are no words are passed over."""
    first, last = _FREQUENT if len(words) > 2 * _FREQUENT[0] else (1, len(words))
    ranks = np.geomspace(first, min(last, len(words)), 4 * _WORDS).astype(int) - 1
    ids = [i for i in np.unique(ranks) if words[i] not in (END, UNKNOWN) and words[i].isalpha()]
    return [int(ids[i]) for i in np.unique(np.linspace(0, len(ids) - 1, _WORDS).astype(int))] if (
        ids) else []  # fmt: skip


def _neighbours(reader: Reader) -> Section:
    ids = _frequent(reader.words)
    found = nearest_rows(np.asarray(reader.params["embedding"]), ids, _NEIGHBOURS)
    rows = [
        [short(reader.words[i], 24), [Word(short(reader.words[j], 24)) for j, _ in near]]
        for i, near in zip(ids, found, strict=True)
    ]
    return Section(
        "Neighbours of frequent words",
        "The nearest rows of the table by cosine, the nearest first.",
        tables=[Table(["", "nearest"], rows)],
    )


def _as_codes(workdir: Path, reader: Reader) -> Iterator[Section]:
    """The table before and after compression, if `--mode evaluate --codes` has measured it."""
    if not (workdir / CODES).exists():
        return
    found = read_json(workdir / CODES, "measure the codes anew")
    values = [found[f"{side}test_perplexity"] for side in ("", "compressed_")]
    sizes = [found["embedding_bytes"], found["compressed_bytes"]]
    names = ("the table", "compressed")
    labels = [f"{name}, {show_bytes(size)}" for name, size in zip(names, sizes, strict=True)]
    chart = bars(labels, [Bars(values, "test perplexity", ".2f")], marked=[False, True], width=560)
    yield Section(
        "The table, compressed",
        f"A compressed table took the place of the {found['compressed']}: "
        f"{sizes[0] / sizes[1]:.1f} times smaller.",
        [Picture(to_svg(chart, "Perplexity with the table and with the compressed one"))],
    )
    try:
        table = load(found["codes"])
    except InputError:  # it has moved
        return
    rows = np.asarray(reader.params["embedding"])
    words = [reader.words[i] for i in _frequent(reader.words) if reader.words[i] in table]
    if table.num_rows == len(rows) and list(table.words or ()) == reader.words:
        yield neighbours_section(rows, table, words, _NEIGHBOURS)
