"""What goes into a user's model: layers over codes, in the place of `Embed` of Flax linen and nnx.

The table stays codes and codebooks on the device; neither its rows nor its logits ever make it
whole. `flax` has the layer of linen, `nnx` that of nnx, `embedding` what both share; `torch` has
the layer of PyTorch, and is imported by its own name: `jaxcompress.layers.torch.CodesEmbedding`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcompress.codes.attend import attend
    from jaxcompress.layers.flax import CodesEmbed
    from jaxcompress.layers.nnx import Fixed, NNXCodesEmbed

__all__ = ["CodesEmbed", "Fixed", "NNXCodesEmbed", "attend"]

_MODULES = {
    "CodesEmbed": "jaxcompress.layers.flax",
    "Fixed": "jaxcompress.layers.nnx",
    "NNXCodesEmbed": "jaxcompress.layers.nnx",
    "attend": "jaxcompress.codes.attend",
}


def __getattr__(name: str) -> Any:
    """Imports a layer when it is first asked for, so that PyTorch's loads no jax."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'jaxcompress.layers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
