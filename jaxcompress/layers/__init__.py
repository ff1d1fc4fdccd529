"""Layers over codes, in the place of `flax.linen.Embed` and `flax.nnx.Embed`."""

from jaxcompress.codes.attend import attend
from jaxcompress.layers.flax import CodesEmbed
from jaxcompress.layers.nnx import Fixed, NNXCodesEmbed

__all__ = ["CodesEmbed", "Fixed", "NNXCodesEmbed", "attend"]
