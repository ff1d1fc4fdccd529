"""Codebooks in closed form: with the codes fixed, the best codebooks solve a least-squares problem.

With the codebooks fixed, the codes of each row are searched for (`search.py`); `refine.py` takes
both in turn. Additive quantization does the same for codes of its own: Babenko & Lempitsky,
"Additive Quantization for Extreme Vector Compression", CVPR 2014.

Taking turns stops at the first place where neither side alone can gain. So all rounds but the last
ones go past the least-squares codebooks, to twice the distance (over-relaxation by a factor of 2):
the error is then what it was before the fit, the codes are free to follow, and the last rounds fall
to a lower place. LSQ++ (Martinez et al., ECCV 2018) adds noise to the codebooks for the same end.

Axis letters: B rows of a batch, M codebooks, K codewords, D dimensions.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.conjugate_gradients import conjugate_gradients
from jaxcompress.codes.grouped import (
    as_slices,
    codes_of_slices,
    from_slices,
    search_codes,
    slices_of,
)
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.precision import exact_products
from jaxcompress.codes.search import MAX_TABLED_CODEWORDS

_RIDGE = 1e-3  # times the mean count of a codeword: holds what the codes leave undetermined
_MOST_DECOMPOSED = 1024  # M*K up to which a TPU decomposes, which takes seconds to compile
_NUM_STEPS = 64  # of conjugate gradients
_LAST_ROUNDS = 2  # rounds that end at the least-squares codebooks themselves


def normal_equations(
    rows: jax.Array, codes: jax.Array, fit: jax.Array, num_codewords: int
) -> tuple[jax.Array, jax.Array]:
    """Sums the normal equations of the codebooks over a batch: A'A and A'x, A one-hot codes.

    Args:
        rows: [B, D].
        codes: int [B, M].
        fit: [B], as how many rows each row counts; bool, or numbers of at least 0.
        num_codewords: K.

    Returns:
        How often each pair of codewords is used together [M*K, M*K], and the sums of the rows that
        use each codeword [M*K, D].
    """
    weights = fit.astype(rows.dtype)
    one_hot = jax.nn.one_hot(codes, num_codewords, dtype=rows.dtype).reshape(len(rows), -1)
    weighted = one_hot * weights[:, None]
    if num_codewords <= 32:
        return weighted.T @ one_hot, weighted.T @ rows
    # All but M*M of the (M*K)^2 terms of a row are 0: with many codewords it pays to count.
    size = one_hot.shape[1]
    flat = codes.astype(jnp.int32) + num_codewords * jnp.arange(codes.shape[1])
    pairs = flat[:, :, None] * size + flat[:, None, :]
    values = jnp.broadcast_to(weights[:, None, None], pairs.shape)
    counts = jnp.zeros(size * size, rows.dtype).at[pairs.reshape(-1)].add(values.reshape(-1))
    return counts.reshape(size, size), weighted.T @ rows


@jax.jit
@exact_products
def solve_codebooks(
    counts: jax.Array, sums: jax.Array, codebooks: jax.Array, relaxation: float | jax.Array = 1.0
) -> jax.Array:
    """Finds the codebooks of least squared error for the codes that were counted.

    Solves (counts + ridge) change = sums - counts codebooks. The codes leave M - 1 directions and
    every unused codeword undetermined; the small ridge holds these where they are.

    Args:
        counts: [M*K, M*K], of `normal_equations`, added up over all rows.
        sums: [M*K, D], of `normal_equations`, added up over all rows.
        codebooks: [M, K, D], as they are now.
        relaxation: 1 gives the codebooks of least error, 2 goes twice as far. From 0 to 2 the
            error, weighted as the rows were, never rises.

    Returns:
        [M, K, D].
    """
    before = codebooks.reshape(sums.shape)
    ridge = _RIDGE * jnp.trace(counts) / len(counts)
    matrix = counts + ridge * jnp.eye(len(counts))
    change = _solve(matrix, sums - counts @ before)
    return (before + relaxation * change).reshape(codebooks.shape)


def _solve(matrix: jax.Array, targets: jax.Array) -> jax.Array:
    """Solves by Cholesky's decomposition; a TPU, for which a large one is unrolled, by steps.

    The steps leave more of the codebooks open than the decomposition, in directions of which the
    error of the rows hardly knows.
    """
    decompose = functools.partial(jax.scipy.linalg.solve, assume_a="pos")
    if matrix.shape[0] <= _MOST_DECOMPOSED:
        return decompose(matrix, targets)
    iterate = functools.partial(conjugate_gradients, num_steps=_NUM_STEPS)
    return jax.lax.platform_dependent(matrix, targets, tpu=iterate, default=decompose)


def relaxation_of(round_number: int, num_rounds: int) -> float:
    """Tells how far round `round_number`, from 0, goes; see `solve_codebooks`.

    >>> [relaxation_of(i, num_rounds=4) for i in range(4)]
    [2.0, 2.0, 1.0, 1.0]
    """
    return 2.0 if round_number < num_rounds - _LAST_ROUNDS else 1.0


def zero_equations(
    codebooks: jax.Array, groups: Groups | None = None, parts: int = 1
) -> tuple[np.ndarray, ...]:
    """Makes zeros to add the equations of batches to; () if they are too large to solve at once.

    Args:
        codebooks: [M, K, D].
        parts: P, into how many equal parts rows are split; each has equations of its own, [P, ...],
            so that devices need not add theirs up after each batch.
        groups: the layout of the codebooks. If there is one, the equations are those of each slice
            of the dimensions: counts [G, M'*K, M'*K] and sums [G, M'*K, D/G], where M' are the
            codebooks that a slice depends on.
    """
    num_codebooks, num_codewords, dim = codebooks.shape
    stack: tuple[int, ...] = (parts,)
    if groups is not None:
        stack, dim = (parts, groups.num_groups), dim // groups.num_groups
        num_codebooks = groups.num_shared + (num_codebooks - groups.num_shared) // groups.num_groups
    size = num_codebooks * num_codewords
    if size > MAX_TABLED_CODEWORDS:
        return ()
    return tuple(np.zeros((*stack, size, n), np.float32) for n in (size, dim))


@functools.partial(jax.jit, static_argnames="groups")
def fit_codebooks(
    equations: tuple[jax.Array, jax.Array],
    codebooks: jax.Array,
    relaxation: float | jax.Array,
    groups: Groups | None = None,
) -> jax.Array:
    """Solves the equations of codebooks [M, K, D] in any layout; see `solve_codebooks`.

    The equations are those of parts of the rows, [P, ...], which are added up here.
    """
    equations = jax.tree.map(lambda x: x.sum(axis=0), equations)
    if groups is None:
        return solve_codebooks(*equations, codebooks, relaxation)
    slices = as_slices(codebooks, groups)
    solved = jax.lax.map(lambda part: solve_codebooks(*part, relaxation), (*equations, slices))
    return from_slices(solved, groups)


@functools.lru_cache(maxsize=8)
def refine_batch(num_steps: int, groups: Groups | None = None) -> Callable:
    """Makes the function that improves the codes of a batch and counts them.

    It takes a state, equations and a batch. The state is codebooks [M, K, D] and the round's key,
    of which batch i gets `fold_in(key, i)`; the equations are those of the batches before, which
    begin as `zero_equations`. The batch has `rows` [B, D], `codes` [B, M], its `number` [], `fit`
    bool [B], which rows the codebooks may be fitted to, and perhaps `weights` [B], how much each
    row counts. It returns the equations with this batch added, and better codes [B, M].

    Args:
        num_steps: steps of the search, which the groups share.
        groups: the layout of the codebooks.
    """

    @exact_products
    def run(state: tuple, equations: tuple, batch: dict) -> tuple[tuple, jax.Array]:
        (codebooks, key), rows = state, batch["rows"]
        key = jax.random.fold_in(key, batch["number"])
        codes = search_codes(key, rows, batch["codes"], codebooks, num_steps, groups)
        if equations:
            counted = rows, codes, weights_to_fit(batch)
            count = functools.partial(_count, num_codewords=codebooks.shape[1], groups=groups)
            more = _by_parts(count, len(equations[0]), counted)
            equations = jax.tree.map(jnp.add, equations, more)
        return equations, codes

    return run


def _by_parts(count: Callable, parts: int, arrays: tuple[jax.Array, ...]) -> Any:
    """Counts equal parts of the rows of a batch [B, ...], each for itself: [P, ...]."""
    if parts == 1:  # the same, but mapped it would be another program, whose last digits differ
        return jax.tree.map(lambda x: x[None], count(*arrays))
    return jax.vmap(count)(*(x.reshape(parts, -1, *x.shape[1:]) for x in arrays))


def _count(
    rows: jax.Array, codes: jax.Array, fit: jax.Array, num_codewords: int, groups: Groups | None
) -> tuple[jax.Array, jax.Array]:
    if groups is None:
        return normal_equations(rows, codes, fit, num_codewords)
    parts = slices_of(rows, groups.num_groups), codes_of_slices(codes, groups)
    return jax.lax.map(lambda part: normal_equations(*part, fit, num_codewords), parts)


def weights_to_fit(batch: dict) -> jax.Array:
    """Tells how much each row of a batch counts when codebooks are fitted: float32 [B]."""
    fit = batch["fit"].astype(jnp.float32)
    return fit * batch["weights"] if "weights" in batch else fit
