"""Readers of data, and the batches made of them: NumPy on the host, never jax, never a method.

`vectors`, `text`, `labelled` and `ratings` each read one kind of data, `download` fetches it,
`paths` finds it, `text_files` opens text, `rows` splits it into fields, and `batches` has what the
training loop consumes. A row of a table has a name; in a table of words it is a word, and each
place in a text where a word stands is a token.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcompress.data.batches import Feed
    from jaxcompress.data.labelled.read import LabelledText, read_labelled_text
    from jaxcompress.data.ratings.read import Ratings, read_ratings
    from jaxcompress.data.text.corpus import Corpus, read_corpus
    from jaxcompress.data.vectors.files import Vectors, read_vectors

__all__ = [
    "Corpus",
    "Feed",
    "LabelledText",
    "Ratings",
    "Vectors",
    "read_corpus",
    "read_labelled_text",
    "read_ratings",
    "read_vectors",
]

_MODULES = {
    "Corpus": "text.corpus",
    "Feed": "batches",
    "LabelledText": "labelled.read",
    "Ratings": "ratings.read",
    "Vectors": "vectors.files",
    "read_corpus": "text.corpus",
    "read_labelled_text": "labelled.read",
    "read_ratings": "ratings.read",
    "read_vectors": "vectors.files",
}


def __getattr__(name: str) -> Any:
    """Imports a reader when it is first asked for: each needs libraries that the others do not."""
    if name not in _MODULES:
        raise AttributeError(f"module 'jaxcompress.data' has no attribute {name!r}")
    return getattr(import_module(f"jaxcompress.data.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
