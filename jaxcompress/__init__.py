"""jaxcompress: small embedding tables in JAX.

`compress(vectors) -> Codes`, `load(path) -> Codes` or
`SparseAnchors`. Nothing runs at import, and reading a file of
codes needs no jax until `Codes.lookup` is called.
"""

from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.api import compress, refine
from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.bound import rate_distortion_bound
from jaxcompress.errors import InputError
from jaxcompress.loading import load

__all__ = [
    "Codes",
    "InputError",
    "SparseAnchors",
    "compress",
    "load",
    "rate_distortion_bound",
    "refine",
]
