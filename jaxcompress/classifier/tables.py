"""The table of words of a run: the one that the config names, or one that is learned with the task.

Axis letters: V rows of the table, K anchors.
"""

from functools import partial
from typing import NamedTuple

from jaxcompress.classifier.config import FROM_SCRATCH, Config
from jaxcompress.classifier.corpus import Corpus, most_common_words, training_counts
from jaxcompress.codes.artefact import Codes
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.errors import InputError
from jaxcompress.tables import (
    TableConfig,
    WordTable,
    anchor_table,
    dense_table,
    frozen_table,
    frozen_vectors,
    hashed_table,
    low_rank_table,
    trained_codebooks,
)
from jaxcompress.tables.adapt import Plan, adapt, first_masks, make_plan

Source = Vectors | CompressedTable | None  # a given table


class Growth(NamedTuple):
    """How many anchors a table of embedding "nbant" has, and when their number changes."""

    config: TableConfig
    plan: Plan


def plan_growth(config: Config, num_steps: int, eval_every: int) -> Growth | None:
    """Lays out the growth of a run of so many steps; None if the number of anchors is given.

    Raises:
        InputError: if there are too few evaluations for it.
    """
    if config.embedding != "nbant":
        return None
    model = config.model
    table = TableConfig(
        kind="nbant",
        num_anchors=model.num_anchors,
        max_anchors=model.max_anchors,
        delta=model.delta,
        anchor_penalty=model.anchor_penalty,
    )
    table.check("model")
    return Growth(table, make_plan(table, num_steps, eval_every))


def check_source(source: Source, config: Config) -> None:
    """Raises InputError if `config.embedding` does not go with the given table."""
    if config.embedding in FROM_SCRATCH:
        if source is not None:
            raise InputError(
                f"vectors are {config.vectors}, and embedding is {config.embedding!r}, which is "
                "learned from scratch; change one of them: --config.vectors=None, or "
                "--config.embedding=frozen."
            )
        return
    if source is None:
        raise InputError(
            f"no vectors given, and embedding is {config.embedding!r}; add --config.vectors=PATH, "
            "or --config.embedding=dense to learn some from scratch."
        )
    if source.words is None:
        raise InputError(f"{config.vectors}: its rows have no names; expected a word for each.")
    if config.embedding == "finetune_codebooks" and not isinstance(source, Codes):
        found = "vectors" if isinstance(source, Vectors) else source.kind
        raise InputError(
            f"{config.vectors} holds {found}; embedding 'finetune_codebooks' takes codes, as "
            "python -m train.dccl exports them."
        )


def make_table(corpus: Corpus, source: Source, config: Config, growth: Growth | None) -> WordTable:
    """Makes the table that the config asks for: the given one, or one from scratch.

    Args:
        corpus: the texts.
        source: the given table.
        config: the run's.
        growth: as `plan_growth` gives it.

    Raises:
        InputError: as `check_source` raises it.
    """
    check_source(source, config)
    if isinstance(source, Vectors):
        return frozen_vectors(source.words, source.rows)
    if isinstance(source, Codes) and config.embedding == "finetune_codebooks":
        return trained_codebooks(source)
    if source is not None:
        return frozen_table(source)
    words = most_common_words(corpus, config.data.max_vocab)
    model = config.model
    if growth is not None:
        counts = training_counts(corpus, words)
        return anchor_table(
            words,
            model.max_anchors,
            model.dim,
            aux=partial(first_masks, growth.config),
            adapt=partial(adapt, growth.config, growth.plan, counts),
        )
    return {
        "ant": lambda: anchor_table(words, model.num_anchors, model.dim),
        "dense": lambda: dense_table(words, model.dim),
        "low_rank": lambda: low_rank_table(words, model.rank, model.dim),
        "hashed": lambda: hashed_table(words, model.num_rows, model.dim),
    }[config.embedding]()
