"""Judges vectors by a classifier of texts: `python -m train.sentiment --config configs/imdb.py`.

`--config.vectors=PATH` names vectors or codes; without any, a table is learned from scratch.
`--mode evaluate` computes the figures of a finished or half-finished run anew, `--mode export`
writes what the task has learned of the table, `--mode compare` trains the same classifier on
several tables and lays them side by side.
"""

import dataclasses
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxcompress.classifier.config import EMBEDDINGS, FROM_SCRATCH, Config, describe, name_of_table
from jaxcompress.classifier.run import prepare, read, run_seeds
from jaxcompress.engine import report
from jaxcompress.engine.plots import draw
from jaxcompress.engine.report import say, write_json
from jaxcompress.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of `--mode compare`."""

    vectors: str = ""  # PATH,PATH,...: frozen, as they are; beside config.vectors
    codes: str = ""  # PATH,PATH,...: frozen, and as --kinds has it
    kinds: str = ""  # further ones: finetune_codebooks (of each of the codes), ant, dense


def tell_apart(configs: Sequence[Config]) -> list[str]:
    """What `describe` says, with the path where that is the same of several."""
    names = [describe(config) for config in configs]
    return [
        name if names.count(name) == 1 else f"{config.vectors}: {name}"
        for config, name in zip(configs, names, strict=True)
    ]


def compare(config: Config, workdir: str, options: Options) -> list[dict[str, Any]]:
    """Trains the same classifier, in the same order, on each table; prints them side by side.

    Raises:
        InputError: where no tables are given, before anything is trained.
    """
    variants, rows = make_variants(config, options), []
    corpus = read(config)
    problems = {name: prepare(corpus, variant) for name, variant in variants.items()}
    for (folder, problem), name in zip(
        problems.items(), tell_apart(list(variants.values())), strict=True
    ):
        say(f"\n== {name}")
        found = run_seeds(problem, f"{workdir}/{folder}", "train").summary
        rows.append({"test_accuracy_std": 0.0, "seeds": config.num_seeds, **found,
                     "embedding": name})  # fmt: skip
    columns = ("embedding", "embedding_bytes", "test_accuracy", "test_accuracy_std", "seeds",
               "valid_accuracy", "train_seconds", "texts_per_second")  # fmt: skip
    say("\n" + report.format_rows(rows, columns))
    write_json(Path(workdir) / "compare.json", rows)
    points = {row["embedding"]: [(row["embedding_bytes"], row["test_accuracy"])] for row in rows}
    picture = Path(workdir) / "compare.png"
    if draw({"test accuracy": points}, picture, "accuracy against bytes", x_label="bytes"):
        say(f"\naccuracy against bytes: {picture}")
    return rows


def make_variants(config: Config, options: Options) -> dict[str, Config]:
    """The configs to compare, by the names of their folders: that of the config's own table, where
    it has one, and those of the options."""
    vectors, codes, kinds = (
        [part for part in text.split(",") if part]
        for text in (options.vectors, options.codes, options.kinds)
    )
    asked = []
    if config.vectors is not None or config.embedding in FROM_SCRATCH:
        asked.append((config.vectors, config.embedding))
    elif config.embedding != "frozen":
        raise InputError(
            f"embedding is {config.embedding!r}, and no vectors are set for it; for all codes "
            f"that are compared: --kinds={config.embedding}."
        )
    asked += [(path, "frozen") for path in (*vectors, *codes)]
    for kind in kinds:
        if kind not in EMBEDDINGS[1:]:
            raise InputError(f"kinds has {kind!r}; it must be of {', '.join(EMBEDDINGS[1:])}.")
        if kind in FROM_SCRATCH:
            asked.append((None, kind))
        elif codes:
            asked += [(path, kind) for path in codes]
        else:
            raise InputError(f"kinds has {kind!r}, which is of codes; add --codes=PATH,...")
    if not asked:
        raise InputError("nothing to compare; add --vectors=PATH,... or --codes=PATH,...")
    variants = (dataclasses.replace(config, vectors=v, embedding=e) for v, e in asked)
    return {_folder(variant): variant for variant in variants}


def _folder(config: Config) -> str:
    """A name for the workdir of a table: the same however its path is written."""
    if config.vectors is None:
        return config.embedding
    path = os.path.normpath(config.vectors)
    name = re.sub(r"[^\w.-]+", "-", name_of_table(path))[:60]
    return f"{config.embedding}-{name}-{zlib.crc32(path.encode()):08x}"
