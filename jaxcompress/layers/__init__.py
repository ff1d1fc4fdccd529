"""What goes into a user's model: layers over codes, in the place of `Embed` of Flax linen and nnx.

The table stays codes and codebooks on the device; neither its rows nor its logits ever make it
whole. `flax` has the layer of linen, `nnx` that of nnx, `embedding` what both share.
"""

from jaxcompress.codes.attend import attend
from jaxcompress.layers.flax import CodesEmbed
from jaxcompress.layers.nnx import Fixed, NNXCodesEmbed

__all__ = ["CodesEmbed", "Fixed", "NNXCodesEmbed", "attend"]
