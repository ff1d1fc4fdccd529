"""What goes into a user's model: small tables, in the place of `Embed` of Flax linen and nnx.

`CodesEmbed` is a table that was compressed: it stays codes and codebooks on the device.
`AnchorEmbed` is one that becomes small as it is trained: sparse mixes of anchors, which
`jaxcompress.anchors` trains. Neither their rows nor their logits ever make the table whole.

- `flax.py`, `nnx.py`: layers over codes; `embedding.py`: what both share.
- `flax_anchors.py`, `nnx_anchors.py`: layers of anchors; `anchor_embedding.py`: what both share.
- `torch.py`: the layer of PyTorch, which is imported by its own name,
  `jaxcompress.layers.torch.CodesEmbedding`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcompress.codes.attend import attend
    from jaxcompress.layers.flax import CodesEmbed
    from jaxcompress.layers.flax_anchors import AnchorEmbed
    from jaxcompress.layers.nnx import Fixed, NNXCodesEmbed
    from jaxcompress.layers.nnx_anchors import NNXAnchorEmbed

__all__ = ["AnchorEmbed", "CodesEmbed", "Fixed", "NNXAnchorEmbed", "NNXCodesEmbed", "attend"]

_MODULES = {
    "AnchorEmbed": "jaxcompress.layers.flax_anchors",
    "CodesEmbed": "jaxcompress.layers.flax",
    "Fixed": "jaxcompress.layers.nnx",
    "NNXAnchorEmbed": "jaxcompress.layers.nnx_anchors",
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
