"""What a model may take as its embedding: given vectors or a compressed table, or
a table learned with the task.

A model that reads words depends on the protocol in `word_table.py` alone; each other file makes one
kind of `WordTable`. What a table does not train is data: it lies on the devices once, in no
checkpoint, and tokens become vectors as a batch is gathered.
"""

from jaxcompress.tables.anchors import anchor_table
from jaxcompress.tables.codes import frozen_codes, trained_codebooks
from jaxcompress.tables.dense import dense_table
from jaxcompress.tables.hashed import hashed_table
from jaxcompress.tables.low_rank import low_rank_table
from jaxcompress.tables.vectors import frozen_table, frozen_vectors
from jaxcompress.tables.word_table import UNKNOWN, Embedding, WordTable

__all__ = [
    "UNKNOWN",
    "Embedding",
    "WordTable",
    "anchor_table",
    "dense_table",
    "frozen_codes",
    "frozen_table",
    "frozen_vectors",
    "hashed_table",
    "low_rank_table",
    "trained_codebooks",
]
