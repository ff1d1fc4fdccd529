"""`CodesEmbedding`: `torch.nn.Embedding` over codes, and a tied output.

Rows and logits are bags of codewords: `embedding_bag` sums M rows of a small table for each.

Axis letters: V rows of the table, M codebooks, K codewords, D dimensions, G groups, S codebooks
that are in no group, B ids or queries.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import embedding_bag

from jaxcompress.codes.artefact import Codes
from jaxcompress.errors import InputError
from jaxcompress.layers.checks import check_codes


class CodesEmbedding(nn.Module):
    """Embeds ids by codes: `torch.nn.Embedding` without its table.

    >>> codebooks = np.array([[[1, 0], [2, 0]], [[0, 10], [0, 20]]])  # M = K = D = 2
    >>> layer = CodesEmbedding(Codes(np.array([[0, 1], [1, 1]]), codebooks))
    >>> layer(torch.tensor([1, 0]))
    tensor([[ 2., 20.],
            [ 1., 20.]])
    >>> layer.attend(torch.tensor([1.0, 0.5]))
    tensor([11., 12.])

    All of its state is in the `state_dict`: `codes`, `codebooks` and, if there are groups,
    `slices`. No `weight` is there or made.

    Args:
        codes: the artefact.
        trainable: whether the codebooks get gradients; the codes never do.
        device: where all is; None: PyTorch's default.
        dtype: type of the codebooks, and so of rows; None: PyTorch's default.

    Attributes:
        codes: [V, M], uint8 if K is at most 256, else the least signed integers that hold them.
        codebooks: [S, K, D], those that span all dimensions; S is M without groups.
        slices: [G, (M - S) / G, K, D / G], those of the groups; None without groups.
        num_embeddings: V.
        embedding_dim: D.

    Raises:
        InputError: if `codes` is no `Codes`.
    """

    codes: torch.Tensor
    slices: "nn.Parameter | None"  # a string, since the documentation is built without PyTorch

    def __init__(
        self, codes: Codes, *, trainable: bool = False, device: Any = None, dtype: Any = None
    ):
        super().__init__()
        check_codes(codes, "CodesEmbedding")
        self.num_embeddings, self.embedding_dim = codes.num_rows, codes.dim
        shared, slices = codes.codebooks, None
        if codes.groups is not None:
            shared, slices = codes.groups.split(shared)
        kind = np.uint8 if codes.num_codewords <= 256 else np.min_scalar_type(-codes.num_codewords)
        self.register_buffer("codes", torch.tensor(codes.codes.astype(kind), device=device))
        dtype = dtype or torch.get_default_dtype()
        put = lambda x: nn.Parameter(torch.tensor(x, device=device, dtype=dtype), trainable)
        self.codebooks = put(shared)
        self.register_parameter("slices", None if slices is None else put(slices))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embeds ids: integers of any shape, each in [0, V) -> [*ids.shape, D].

        Raises:
            InputError: if ids are not integers.
        """
        if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
            raise InputError(f"ids are {ids.dtype}; expected integers.")
        places = self._places(self.codes.index_select(0, ids.reshape(-1).long()))
        own, others = places.tensor_split([len(self.codebooks)], dim=1)
        rows = self.codebooks.new_zeros(*ids.shape, self.embedding_dim)
        if own.shape[1]:
            rows = embedding_bag(own, self.codebooks.flatten(0, 1), mode="sum").view_as(rows)
        if self.slices is not None:
            bags = others.reshape(-1, self.slices.shape[1]) - self.codebooks[..., 0].numel()
            parts = embedding_bag(bags, self.slices.flatten(0, 2), mode="sum")
            rows = rows + parts.view_as(rows)
        return rows

    def attend(self, query: torch.Tensor) -> torch.Tensor:
        """Multiplies a query with every row: [..., D] -> logits [..., V].

        A logit is a sum of M of the query's M*K products with codewords. These are made, and
        summed, in float32 at least. While it runs, the places of all codes take 4*V*M bytes.

        Raises:
            InputError: if the last dimension of the query is not D.
        """
        if query.dim() == 0 or query.shape[-1] != self.embedding_dim:
            raise InputError(
                f"the query is {list(query.shape)}; expected [..., {self.embedding_dim}]."
            )
        kind = torch.promote_types(query.dtype, self.codebooks.dtype)
        wide = torch.promote_types(kind, torch.float32)
        queries = query.reshape(-1, self.embedding_dim).to(wide)
        products = self.codebooks.flatten(0, 1).to(wide) @ queries.T  # [S*K, B]
        if self.slices is not None:
            parts = queries.view(len(queries), len(self.slices), -1).permute(1, 2, 0)
            others = self.slices.flatten(1, 2).to(wide) @ parts  # [G, (M - S) / G * K, B]
            products = torch.cat([products, others.flatten(0, 1)])
        logits = embedding_bag(self._places(self.codes), products, mode="sum")
        return logits.T.to(kind).reshape(*query.shape[:-1], self.num_embeddings)

    def head(self) -> "TiedHead":
        """Gives the tied output as a module, in the place of `nn.Linear(D, V, bias=False)`."""
        return TiedHead(self)

    def _places(self, codes: torch.Tensor) -> torch.Tensor:
        """Gives where codewords are in a table of all M*K: [B, M] -> int32 [B, M]."""
        count = self.codebooks.shape[1]
        first = torch.arange(codes.shape[1], device=codes.device, dtype=torch.int32) * count
        return codes.to(torch.int32) + first

    def extra_repr(self) -> str:
        count = f"num_codebooks={self.codes.shape[1]}, num_codewords={self.codebooks.shape[1]}"
        return f"{self.num_embeddings}, {self.embedding_dim}, {count}"


class TiedHead(nn.Module):
    """The output of a model that is tied to its `CodesEmbedding`, whose parameters it shares.

    Attributes:
        embedding: the layer that it is tied to.
    """

    def __init__(self, embedding: CodesEmbedding):
        super().__init__()
        self.embedding = embedding

    def forward(self, query: torch.Tensor) -> torch.Tensor:
        """Gives logits: [..., D] -> [..., V]."""
        return self.embedding.attend(query)
