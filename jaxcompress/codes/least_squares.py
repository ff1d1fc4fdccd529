"""Refinement of codes: local search for the codes and closed-form codebooks, in turn.

With the codes fixed the best codebooks solve a least-squares problem; with the codebooks fixed
each row's codes are searched for (`local_search.py`). Additive quantization does both for codes of
its own: Babenko & Lempitsky, "Additive Quantization for Extreme Vector Compression", CVPR 2014.

Taking turns stops at the first place where neither side alone can gain. So all rounds but the last
ones go on past the least-squares codebooks, as far beyond them as they were before (over-relaxation
by a factor of 2): the error is then what it was before the fit, the codes are free to follow, and
the last rounds fall to a lower place. LSQ++ (Martinez et al., ECCV 2018) adds noise to the
codebooks for the same end.

Axis letters: B rows of a batch, M codebooks, K codewords, D dimensions.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxcompress.codes.search import MAX_TABLED_CODEWORDS, improve_codes

_RIDGE = 1e-3  # of the mean count of a codeword: holds what the codes leave undetermined


_LAST_ROUNDS = 2  # that end at the least-squares codebooks themselves


def normal_equations(
    rows: jax.Array, codes: jax.Array, fit: jax.Array, num_codewords: int
) -> tuple[jax.Array, jax.Array]:
    """Sums one-hot products over a batch.

    Args:
        rows: [B, D].
        codes: int [B, M].
        fit: [B]: as how many rows each one counts; bool, or numbers of at least 0.
        num_codewords: K.

    Returns:
        [M*K, M*K] how often each pair of codewords is used together, and [M*K, D] the sums of the
        rows that use each codeword.
    """
    weights = fit.astype(rows.dtype)
    one_hot = jax.nn.one_hot(codes, num_codewords, dtype=rows.dtype).reshape(len(rows), -1)
    weighted = one_hot * weights[:, None]
    if num_codewords <= 32:
        return weighted.T @ one_hot, weighted.T @ rows
    # Of a product of one-hot rows all but M*M in (M*K)^2 terms are 0: here it pays to count.
    size = one_hot.shape[1]
    flat = codes.astype(jnp.int32) + num_codewords * jnp.arange(codes.shape[1])
    pairs = flat[:, :, None] * size + flat[:, None, :]
    values = jnp.broadcast_to(weights[:, None, None], pairs.shape)
    counts = jnp.zeros(size * size, rows.dtype).at[pairs.reshape(-1)].add(values.reshape(-1))
    return counts.reshape(size, size), weighted.T @ rows


@jax.jit
def solve_codebooks(
    counts: jax.Array, sums: jax.Array, codebooks: jax.Array, relaxation: float | jax.Array = 1.0
) -> jax.Array:
    """Finds the codebooks of least squared error for the codes that were counted.

    The codes leave M - 1 directions undetermined, and codewords that no row uses; a small ridge
    holds these at the codebooks there are.

    Args:
        counts: [M*K, M*K] of `normal_equations` over all rows.
        sums: [M*K, D], likewise.
        codebooks: [M, K, D]: the ones there are.
        relaxation: 1 takes the codebooks of least error, 2 goes as far beyond. From 0 to 2 the
            error, weighted as the rows were, never rises.
    """
    before = codebooks.reshape(sums.shape)
    ridge = _RIDGE * jnp.trace(counts) / len(counts)
    change = jax.scipy.linalg.solve(
        counts + ridge * jnp.eye(len(counts)), sums - counts @ before, assume_a="pos"
    )
    return (before + relaxation * change).reshape(codebooks.shape)


def relaxation_of(round_number: int, num_rounds: int) -> float:
    """How far round `round_number`, from 0, goes: see `solve_codebooks`."""
    return 2.0 if round_number < num_rounds - _LAST_ROUNDS else 1.0


def no_equations(codebooks: jax.Array) -> tuple[jax.Array, ...]:
    """Zeros to add `normal_equations` to, or () where M*K is too large to solve them at once."""
    size = codebooks.shape[0] * codebooks.shape[1]
    if size > MAX_TABLED_CODEWORDS:
        return ()
    return jnp.zeros((size, size)), jnp.zeros((size, codebooks.shape[2]))


@functools.lru_cache(maxsize=8)
def refine_batch(num_steps: int) -> Callable:
    """Makes the function of one round over a batch: improves its codes, and counts them.

    It takes a state: codebooks [M, K, D], a key, and what `no_equations` began; and a batch: `rows`
    [B, D], `codes` [B, M], `batch_number` [B], and `fit` [B]: which rows the codebooks may be
    fitted to, as much as `weights` [B] say where they are there. It gives the equations with this
    batch added, and codes [B, M].
    """

    def run(state: tuple, batch: dict) -> tuple[tuple, jax.Array]:
        codebooks, key, equations = state
        key = jax.random.fold_in(key, batch["batch_number"][0])
        codes = improve_codes(key, batch["rows"], batch["codes"], codebooks, num_steps)
        if equations:
            fit = batch["fit"] * batch["weights"] if "weights" in batch else batch["fit"]
            more = normal_equations(batch["rows"], codes, fit, codebooks.shape[1])
            equations = jax.tree.map(jnp.add, equations, more)
        return equations, codes

    return run
