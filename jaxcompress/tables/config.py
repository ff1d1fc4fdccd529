"""What can be set of a table that is learned with a task: how its rows are made, and how few.

It needs no jax. Axis letters: V rows, D dimensions, K anchors, T the transform [V, K].
"""

import dataclasses

from jaxcompress.engine.config import setting
from jaxcompress.errors import InputError

KINDS = ("dense", "codes", "ant", "nbant", "low_rank", "hashed")
OF_ANCHORS = ("ant", "nbant")
ADAPTIVE_RATE = 1e-2  # of Adam and of Yogi


@dataclasses.dataclass(kw_only=True)
class TableConfig:
    """A table of words that is learned with a task; of fields for other kinds nothing is read."""

    # "dense": a row of its own for each word; "codes": given codes, trained codebooks; "ant":
    # sparse mixes of anchors; "nbant": the same, and the objective says how many anchors;
    # "low_rank": the product of two thin matrices; "hashed": rows that words share
    kind: str = setting("dense", one_of=KINDS)
    # "codes": path of codes, or of the workdir that made them; their codebooks are first values
    codes: str | None = setting(None, may_change=True)
    rank: int = setting(16, at_least=1)  # "low_rank": numbers of a row
    num_rows: int = setting(1000, at_least=1)  # "hashed": rows that are shared
    num_hashes: int = setting(2, at_least=1, at_most=64)  # "hashed": rows that a word sums up
    num_anchors: int = setting(50, at_least=1)  # K of "ant"; of "nbant" the K it starts with
    max_anchors: int = setting(200, at_least=1)  # "nbant": K at most
    delta: int = setting(10, at_least=1)  # "nbant": anchors that join or leave at an evaluation
    # "ant", "nbant": entries of T, over all rows, that are left at last; None: nothing is pruned
    nonzeros: int | None = setting(None, at_least=1)
    penalty: float = setting(0.0, at_least=0)  # "ant", "nbant": lambda2, weight of T's L1 norm
    # "nbant": lambda1, what an anchor costs in its objective, in the unit of the task's loss
    anchor_penalty: float = setting(1e-4, at_least=0)
    nonzero_penalty: float = setting(0.0, at_least=0)  # "nbant": lambda2 there, of an entry of T
    # rate of the table's parameters, which falls as the model's; None: the model's, and 0.01 for
    # Adam, and for proximal Yogi, by which anchors are learned
    learning_rate: float | None = setting(None, above=0)
    adaptive: bool = False  # whether Adam learns a table that is not of anchors, and not SGD

    def check(self, name: str) -> None:
        """Raises InputError, with the name of the group, if fields do not fit together."""
        if (self.kind == "codes") != (self.codes is not None):
            raise InputError(
                f"{name}.kind is {self.kind!r} and {name}.codes is {self.codes}; kind 'codes' "
                f"takes --config.{name}.codes=PATH, of what train.dccl makes, and others none."
            )
        if self.kind == "nbant" and self.num_anchors > self.max_anchors:
            raise InputError(
                f"{name}.num_anchors is {self.num_anchors}, {name}.max_anchors is "
                f"{self.max_anchors}; there must be room for those it starts with."
            )

    def describe(self) -> str:
        """Names the kind and its size.

        >>> TableConfig(kind="low_rank", rank=12).describe(), TableConfig().describe()
        ('low rank 12', 'dense')
        """
        left = "" if self.nonzeros is None else f", {self.nonzeros:,} entries"
        return {
            "dense": "dense",
            "codes": "codes",
            "ant": f"ANT {self.num_anchors}{left}",
            "nbant": f"NBANT{left}",
            "low_rank": f"low rank {self.rank}",
            "hashed": f"hashed {self.num_rows}",
        }[self.kind]
