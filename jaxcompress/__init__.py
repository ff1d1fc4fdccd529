"""jaxcompress: small embedding tables in JAX.

`compress(vectors) -> Codes`, `load(path) -> Codes` or
`SparseAnchors`. Nothing runs at import, and reading a file of
codes needs no jax until `Codes.lookup` is called.
"""

from jaxcompress.api import compress, load, refine
from jaxcompress.compressed import Codes
from jaxcompress.errors import InputError
from jaxcompress.rate_distortion import rate_distortion_bound
from jaxcompress.sparse_anchors import SparseAnchors

__all__ = [
    "Codes",
    "InputError",
    "SparseAnchors",
    "compress",
    "load",
    "rate_distortion_bound",
    "refine",
]
