"""Which rows of a compressed table are those of a model's words."""

from collections.abc import Sequence

from jaxcompress.compressed.table import CompressedTable
from jaxcompress.errors import InputError


def rows_of_words(
    given: CompressedTable, words: Sequence[str], dim: int, name: str = ""
) -> list[int]:
    """Finds the numbers of the rows of a model's words, in their order.

    Args:
        given: the table.
        words: the model's.
        dim: of its embedding.
        name: what the table is called in a message; "": its kind.

    Raises:
        InputError: if it has another number of dimensions, or not all words.
    """
    name = name or f"the {given.kind}"
    if given.dim != dim:
        raise InputError(f"{name}: {given.dim} dimensions; the embedding has {dim}.")
    absent = [word for word in words if word not in given]
    if absent:
        raise InputError(
            f"{name}: {len(absent):,} of the model's {len(words):,} words are not in it, "
            f"{absent[0]!r} among them; compress the model's own export/embedding.npy."
        )
    return [given.id_of(word) for word in words]
