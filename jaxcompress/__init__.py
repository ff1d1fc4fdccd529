"""jaxcompress: small embedding tables in JAX.

`compress` makes codes of a table, `refine` improves codes, `load`, `load_codes` and `load_anchors`
open files and workdirs, `write_report` makes the page of a run. The methods are folders:
`jaxcompress.dccl`, `.tying`, `.ant` and `.classifier`, each with `train(config, workdir)`; layers
for a model are in `jaxcompress.layers`, what trains those of anchors in `jaxcompress.anchors`,
readers in `jaxcompress.data`, folders of models in `jaxcompress.models`. Nothing runs at import,
and reading a table loads no jax until its `lookup` or `attend` is called.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.api import compress, refine
from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.bound import rate_distortion_bound
from jaxcompress.compressed.low_rank import LowRank
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.errors import InputError
from jaxcompress.loading import load, load_anchors, load_codes
from jaxcompress.reporting import write_report

if TYPE_CHECKING:
    from jaxcompress import anchors, ant, classifier, data, dccl, layers, models, tying

__version__ = "0.1.0"  # pyproject.toml reads it from here

__all__ = [
    "Codes",
    "CompressedTable",
    "InputError",
    "LowRank",
    "SparseAnchors",
    "__version__",
    "anchors",
    "ant",
    "classifier",
    "compress",
    "data",
    "dccl",
    "layers",
    "load",
    "load_anchors",
    "load_codes",
    "models",
    "rate_distortion_bound",
    "refine",
    "tying",
    "write_report",
]

_FOLDERS = ("anchors", "ant", "classifier", "data", "dccl", "layers", "models", "tying")


def __getattr__(name: str) -> ModuleType:
    """Imports a folder when it is first asked for, since some of them load jax."""
    if name in _FOLDERS:
        return import_module(f"jaxcompress.{name}")
    raise AttributeError(f"module 'jaxcompress' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_FOLDERS})
