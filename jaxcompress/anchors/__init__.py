"""Tables whose rows are sparse non-negative mixes of a few anchors, whoever trains them.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197. A table of V rows is E = T A (eq. 1): the K anchors A
are dense and few, the transform T [V, K] is sparse and at least 0.

`jaxcompress.layers` has the table as a layer for a model of yours, and the functions listed here
train it: `proximal_yogi`, or `proximal_l1` behind another optimiser of optax, makes entries of T
exactly zero (algorithm 1); `observe` and `resize` let the objective choose the number of anchors
(NBANT, section 3.2); `to_artefact` makes `SparseAnchors` of the parameters, `to_params` goes back.

- `table.py`: rows, products with all of them, first values. `params.py`: artefact and parameters.
- `proximal.py`: the proximal step. `yogi.py`: the optimiser that has it built in.
- `growth.py`: the number of anchors. `pruning.py`: which entries matter least.
- `artefact.py`: `SparseAnchors`, what is kept of a trained table; `files.py`: its file;
  `neighbours.py`: products of its rows with a query. They load no jax.

Two departures from the paper; `configs/movielens_1m.py:ant-paper` has neither. `pruning` drops
entries until a number of parameters is met, and what is left is fitted without penalty, since the
L1 norm shrinks what it keeps. `growth.climb` goes on in the direction in which the objective falls;
`growth.trend` is the rule of the authors' code.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcompress.anchors.growth import (
        Growth,
        climb,
        no_growth,
        objective,
        observe,
        resize,
        trend,
    )
    from jaxcompress.anchors.params import to_artefact, to_params
    from jaxcompress.anchors.proximal import proximal_l1, transforms
    from jaxcompress.anchors.yogi import proximal_yogi

__all__ = [
    "Growth",
    "climb",
    "no_growth",
    "objective",
    "observe",
    "proximal_l1",
    "proximal_yogi",
    "resize",
    "to_artefact",
    "to_params",
    "transforms",
    "trend",
]

_MODULES = {
    **dict.fromkeys(
        ("Growth", "climb", "no_growth", "objective", "observe", "resize", "trend"), "growth"
    ),
    **dict.fromkeys(("to_artefact", "to_params"), "params"),
    **dict.fromkeys(("proximal_l1", "transforms"), "proximal"),
    "proximal_yogi": "yogi",
}


def __getattr__(name: str) -> Any:
    """Imports what needs jax when it is first asked for, since `SparseAnchors` needs none."""
    if name in _MODULES:
        return getattr(import_module(f"jaxcompress.anchors.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'jaxcompress.anchors' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
