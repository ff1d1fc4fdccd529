"""The same classifier, with the same seeds and in the same order, on several tables of words.

Beside it stands the simplest one on each table, the linear layer over the mean of the vectors.
"""

import dataclasses
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxcompress.classifier.compare_report import COLUMNS, accuracy_panel, compare_sections
from jaxcompress.classifier.config import FROM_SCRATCH, Config, describe, name_of_table
from jaxcompress.classifier.corpus import read_corpus
from jaxcompress.classifier.prepare import read_source
from jaxcompress.classifier.run import (
    announce_corpus,
    announce_table,
    prepare_chosen,
    run_seeds,
)
from jaxcompress.engine.page.charts import save_panels
from jaxcompress.engine.page.sections import leave_comparison
from jaxcompress.engine.report import format_rows, say, write_json
from jaxcompress.errors import InputError
from jaxcompress.storage.places import as_path

_OF_CODES = "finetune_codebooks"  # the embedding that needs codes
_KIND = "Texts classified by their words' vectors"


@dataclasses.dataclass(frozen=True)
class Options:
    """What to compare besides the config's own table; each field is a list with commas."""

    vectors: str = ""  # paths of vectors or codes, to be read as they are
    codes: str = ""  # paths of codes, to be read as they are and as `kinds` says
    # values of `Config.embedding`: "finetune_codebooks", for each path of `codes`, or one that is
    # learned from scratch: "ant", "dense", "low_rank", "hashed"
    kinds: str = ""


def compare(config: Config, workdir: str, options: Options) -> list[dict[str, Any]]:
    """Trains both networks on each table, and writes `WORKDIR/compare.json`.

    Args:
        config: what the runs share; its own table, if it has one, is the first.
        workdir: the folder; each run has one of its own in it.
        options: further tables.

    Returns:
        A row for each table and network: the figures of its summary, the number of `seeds`, and
        `test_accuracy_std`, 0 for one seed.

    Raises:
        InputError: before anything is trained, if there are no tables or one is invalid.
    """
    variants = make_variants(config, options)
    corpus = read_corpus(config)
    announce_corpus(corpus)
    problems = {}
    for folder, variant in variants.items():
        source, place = read_source(variant), f"{workdir}/{folder}"
        problems[folder] = prepare_chosen(corpus, source, variant, place)
        announce_table(problems[folder])
    rows = []
    for (folder, problem), name in zip(
        problems.items(), tell_apart(list(variants.values())), strict=True
    ):
        say(f"\n== {name}")
        summary = run_seeds(problem, f"{workdir}/{folder}", "train").summary
        shared = {"test_accuracy_std": 0.0, "seeds": config.num_seeds}
        rows.append({**shared, **summary, "embedding": name})
    write_json(as_path(workdir) / "compare.json", rows)
    if config.report:
        page = as_path(workdir) / "compare.html"
        folders = [as_path(workdir) / folder for folder in problems]
        leave_comparison(page, _KIND, lambda: compare_sections(rows, folders, corpus.text))
    return rows


def show_comparison(rows: Sequence[dict[str, Any]], picture: Path) -> None:
    """Prints the rows of `compare` side by side, and draws accuracy against bytes."""
    say("\n" + format_rows(rows, COLUMNS))
    if save_panels([accuracy_panel(rows)], picture, "accuracy against bytes"):
        say(f"\naccuracy against bytes: {picture}")


def tell_apart(configs: Sequence[Config]) -> list[str]:
    """Names each config's table as `describe` does, with its path if several are named alike.

    >>> tell_apart([Config(vectors="a/v.npy"), Config(vectors="b/v.npy"), Config(vectors="w.npy")])
    ['a/v.npy: v.npy, frozen', 'b/v.npy: v.npy, frozen', 'w.npy, frozen']
    """
    names = [describe(config) for config in configs]
    return [
        name if names.count(name) == 1 else f"{config.vectors}: {name}"
        for config, name in zip(configs, names, strict=True)
    ]


def make_variants(config: Config, options: Options) -> dict[str, Config]:
    """Makes the configs to compare, each table once for each network, by their folders' names.

    Raises:
        InputError: if there are none, or the config or the options do not go together.
    """
    vectors, codes, kinds = (
        [part for part in text.split(",") if part]
        for text in (options.vectors, options.codes, options.kinds)
    )
    tables = [
        *_own_table(config),
        *((path, "frozen") for path in (*vectors, *codes)),
        *(table for kind in kinds for table in _tables_of_kind(kind, codes)),
    ]
    if not tables:
        raise InputError("nothing to compare; add --vectors=PATH,... or --codes=PATH,...")
    networks = dict.fromkeys((config.model.network or "lstm", "mean"))
    variants = (
        dataclasses.replace(
            config, vectors=v, embedding=e, model=dataclasses.replace(config.model, network=network)
        )
        for v, e in tables
        for network in networks
    )
    return {_folder(variant): variant for variant in variants}


def _own_table(config: Config) -> list[tuple[str | None, str]]:
    """Lists the path and the embedding of the config's table; nothing if it has none."""
    if config.vectors is not None or config.embedding in FROM_SCRATCH:
        return [(config.vectors, config.embedding)]
    if config.embedding == _OF_CODES:
        raise InputError(
            f"embedding is {_OF_CODES!r}, and no vectors are given for it; to train the codebooks "
            f"of all codes that are compared, add --kinds={_OF_CODES} instead."
        )
    return []


def _tables_of_kind(kind: str, codes: Sequence[str]) -> list[tuple[str | None, str]]:
    """Lists paths and embeddings that a kind asks for."""
    kinds = (_OF_CODES, *FROM_SCRATCH)
    if kind not in kinds:
        raise InputError(f"kinds has {kind!r}; each must be one of {', '.join(kinds)}.")
    if kind in FROM_SCRATCH:
        return [(None, kind)]
    if not codes:
        raise InputError(f"kinds has {kind!r}, which needs codes; add --codes=PATH,...")
    return [(path, kind) for path in codes]


def _folder(config: Config) -> str:
    """Names the folder of a table: the same name, however its path is written."""
    network = "-mean" if config.model.network == "mean" else ""
    if config.vectors is None:
        return f"{config.embedding}{network}"
    path = os.path.normpath(config.vectors)
    name = re.sub(r"[^\w.-]+", "-", name_of_table(path))[:60]
    return f"{config.embedding}-{name}-{zlib.crc32(path.encode()):08x}{network}"
