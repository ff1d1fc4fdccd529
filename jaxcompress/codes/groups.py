"""Codebooks that span a slice of the dimensions: many codes a row without heavy codebooks.

The first codebooks span all D dimensions. The others lie in G groups of equal size, and those of
group g span dimensions g*D/G to (g+1)*D/G alone, and are 0 elsewhere. This joins additive codes
(Babenko & Lempitsky, CVPR 2014) with those of product-additive quantizers (Martinez et al., ECCV
2018, LSQ++, and FAISS's PRQ and PLSQ), whose groups are additive codes of a slice each: what the
slices have in common is left to the codebooks that span them all.

In memory codebooks are [M, K, D] throughout, zeros included; files hold the slices alone.

Axis letters: M codebooks, K codewords, D dimensions, G groups.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxcompress.errors import InputError


class Groups(NamedTuple):
    """Which codebooks span which dimensions.

    >>> groups = Groups(num_shared=1, num_groups=2)
    >>> codebooks = groups.join(np.ones((1, 2, 4)), np.full((2, 3, 2, 2), 5.0))
    >>> codebooks.shape, codebooks[0, 0], codebooks[1, 0], codebooks[6, 0]
    ((7, 2, 4), array([1., 1., 1., 1.]), array([5., 5., 0., 0.]), array([0., 0., 5., 5.]))

    Attributes:
        num_shared: how many codebooks span all dimensions; they are the first.
        num_groups: G; the other codebooks lie in the order of their groups.
    """

    num_shared: int
    num_groups: int

    def check(self, num_codebooks: int, dim: int) -> None:
        """Raises InputError if M codebooks or D dimensions cannot be divided so."""
        rest = num_codebooks - self.num_shared
        fits = 0 <= self.num_shared <= num_codebooks and self.num_groups >= 1
        if not fits or rest % self.num_groups or dim % self.num_groups:
            raise InputError(
                f"{self.num_groups} groups and {self.num_shared} codebooks outside of them; the "
                f"groups must divide {dim} dimensions and the rest of {num_codebooks} codebooks."
            )

    def spans(self, num_codebooks: int, dim: int) -> np.ndarray:
        """Tells which dimensions each codebook spans: bool [M, D]."""
        others = num_codebooks - self.num_shared
        group = np.arange(others) * self.num_groups // max(1, others)
        slices = np.arange(dim) * self.num_groups // dim
        return np.concatenate([np.ones((self.num_shared, dim), bool), group[:, None] == slices])

    def split(self, codebooks: Any) -> tuple[Any, Any]:
        """Takes codebooks apart, NumPy or jax: [M, K, D] -> [shared, K, D], [G, each, K, D/G]."""
        _, num_codewords, dim = codebooks.shape
        shared, grouped = codebooks[: self.num_shared], codebooks[self.num_shared :]
        count = self.num_groups
        blocks = grouped.reshape(count, -1, num_codewords, count, dim // count)
        blocks = blocks.diagonal(axis1=0, axis2=3)  # the group's own slice, [each, K, D/G, G]
        return shared, blocks.transpose(3, 0, 1, 2)

    def split_codes(self, codes: Any) -> tuple[Any, Any]:
        """Takes codes apart, NumPy or jax: int [B, M] -> [B, shared], [B, G, each]."""
        shared, grouped = codes[:, : self.num_shared], codes[:, self.num_shared :]
        each = grouped.shape[1] // self.num_groups
        return shared, grouped.reshape(len(codes), self.num_groups, each)

    def join(self, shared: Any, grouped: Any) -> Any:
        """Undoes `split`, NumPy or jax."""
        count, each, num_codewords, width = grouped.shape
        if isinstance(grouped, np.ndarray):
            xp: Any = np
        else:
            import jax.numpy as xp  # here, since files are read without jax
        own = np.eye(count, dtype=bool)[:, None, None, :, None]
        blocks = xp.where(own, grouped[:, :, :, None, :], 0)  # [G, each, K, G, D/G]
        blocks = blocks.reshape(count * each, num_codewords, count * width)
        return xp.concatenate([shared, blocks])
