"""Tables whose rows are sparse non-negative mixes of a few anchors, whoever trains them.

Liang, Zaheer, Wang & Ahmed, "Anchor & Transform: Learning Sparse Embeddings for Large
Vocabularies", ICLR 2021, arXiv 2003.08197. A table of V rows is E = T A (eq. 1): the K anchors A
are dense and few, the transform T [V, K] is sparse and at least 0.

`table` is the trained module; `proximal_yogi` the optimiser that makes entries of T exactly zero;
`growth` lets the objective choose the number of anchors (NBANT); `pruning` drops the entries that
matter least; `artefact` is `SparseAnchors`, what is kept of a trained table, which loads no jax.

Two departures from the paper; `configs/movielens_1m.py:ant-paper` has neither. `pruning` drops
entries until a number of parameters is met, and what is left is fitted without penalty, since the
L1 norm shrinks what it keeps. `growth.climb` goes on in the direction in which the objective falls;
`growth.trend` is the rule of the authors' code.
"""
