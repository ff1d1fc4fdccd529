"""What a model may take as its embedding: given vectors or a compressed table, or
a table learned with the task.

A model that reads words depends on the protocol in `word_table.py` alone; each other file makes one
kind of `WordTable`. What a table does not train is data: it lies on the devices once, in no
checkpoint, and tokens become vectors as a batch is gathered. `config.py` says what can be set of a
table that is learned, and `make.py` makes it; `adapt.py` is what one of anchors does between steps.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxcompress.tables.config import KINDS, TableConfig

if TYPE_CHECKING:
    from jaxcompress.tables.anchors import anchor_table
    from jaxcompress.tables.codes import frozen_codes, trained_codebooks
    from jaxcompress.tables.dense import dense_table
    from jaxcompress.tables.hashed import hashed_table
    from jaxcompress.tables.low_rank import low_rank_table
    from jaxcompress.tables.make import make_table
    from jaxcompress.tables.vectors import frozen_table, frozen_vectors
    from jaxcompress.tables.word_table import UNKNOWN, Embedding, WordTable, all_rows

__all__ = [
    "KINDS",
    "UNKNOWN",
    "Embedding",
    "TableConfig",
    "WordTable",
    "all_rows",
    "anchor_table",
    "dense_table",
    "frozen_codes",
    "frozen_table",
    "frozen_vectors",
    "hashed_table",
    "low_rank_table",
    "make_table",
    "trained_codebooks",
]

_FILES = {
    "UNKNOWN": "word_table",
    "Embedding": "word_table",
    "WordTable": "word_table",
    "all_rows": "word_table",
    "anchor_table": "anchors",
    "dense_table": "dense",
    "frozen_codes": "codes",
    "frozen_table": "vectors",
    "frozen_vectors": "vectors",
    "hashed_table": "hashed",
    "low_rank_table": "low_rank",
    "make_table": "make",
    "trained_codebooks": "codes",
}


def __getattr__(name: str) -> Any:
    """Imports a name's file when the name is first asked for, since these files need jax."""
    if name in _FILES:
        return getattr(import_module(f"jaxcompress.tables.{_FILES[name]}"), name)
    raise AttributeError(f"module 'jaxcompress.tables' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_FILES})
