"""Refinement of codes: closed-form codebooks and coordinate search, in turn.

With the codes fixed the best codebooks solve a least-squares problem; with the codebooks fixed
each code of a row can be set to its best value given the row's others (iterated conditional
modes). Both are what additive quantization does for codes of its own: Babenko & Lempitsky,
"Additive Quantization for Extreme Vector Compression", CVPR 2014; the random restarts of a few
codes are Martinez et al., "Revisiting Additive Quantization" (LSQ), ECCV 2016.

Axis letters: B rows of a batch, M codebooks, K codewords, D dimensions.
"""

import jax
import jax.numpy as jnp

from jaxcompress.lookup import sum_codewords

_MAX_CODEWORDS = 8192  # M*K whose equations, 256 MiB, are still solved at once
_RIDGE = 1e-3  # of the mean count of a codeword: holds what the codes leave undetermined


def normal_equations(
    rows: jax.Array, codes: jax.Array, mask: jax.Array, num_codewords: int
) -> tuple[jax.Array, jax.Array]:
    """Sums one-hot products over a batch.

    Args:
        rows: [B, D].
        codes: int [B, M].
        mask: [B]; rows where it is 0 count for nothing.
        num_codewords: K.

    Returns:
        [M*K, M*K] how often each pair of codewords is used together, and [M*K, D] the sums of the
        rows that use each codeword.
    """
    weights = mask.astype(rows.dtype)
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
def solve_codebooks(counts: jax.Array, sums: jax.Array, codebooks: jax.Array) -> jax.Array:
    """Finds the codebooks of least squared error for the codes that were counted.

    The codes leave M - 1 directions undetermined, and codewords that no row uses; a small ridge
    holds these at the codebooks there are, and never lets the error rise.

    Args:
        counts: [M*K, M*K] of `normal_equations` over all rows.
        sums: [M*K, D], likewise.
        codebooks: [M, K, D]: the ones there are.
    """
    before = codebooks.reshape(sums.shape)
    ridge = _RIDGE * jnp.trace(counts) / len(counts)
    change = jax.scipy.linalg.solve(
        counts + ridge * jnp.eye(len(counts)), sums - counts @ before, assume_a="pos"
    )
    return (before + change).reshape(codebooks.shape)


def sweep(
    residual: jax.Array, codes: jax.Array, codebooks: jax.Array, order: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Sets each code of each row to its best value given the row's others, codebook by codebook.

    Args:
        residual: [B, D]: what the codes leave of each row.
        codes: int32 [B, M].
        codebooks: [M, K, D].
        order: int [M], a permutation: which codebook comes when.

    Returns:
        residual [B, D], nowhere longer than before, and codes int32 [B, M].
    """
    squares = jnp.sum(jnp.square(codebooks), axis=-1)

    def visit(i, carry):
        residual, codes = carry
        m = order[i]
        codebook, old = codebooks[m], jax.lax.dynamic_index_in_dim(codes, m, 1, keepdims=False)
        wanted = residual + codebook.at[old].get(mode="promise_in_bounds")
        new = jnp.argmin(squares[m] - 2.0 * wanted @ codebook.T, axis=-1).astype(codes.dtype)
        residual = wanted - codebook.at[new].get(mode="promise_in_bounds")
        return residual, jax.lax.dynamic_update_index_in_dim(codes, new, m, 1)

    return jax.lax.fori_loop(0, codebooks.shape[0], visit, (residual, codes))


def improve_codes(
    key: jax.Array,
    rows: jax.Array,
    codes: jax.Array,
    codebooks: jax.Array,
    *,
    num_sweeps: int = 2,
    num_perturbed: int = 2,
) -> jax.Array:
    """Sets a few random codes of each row at random, sweeps, and keeps what fell.

    Args:
        key: randomness.
        rows: [B, D].
        codes: int [B, M].
        codebooks: [M, K, D].
        num_sweeps: how many.
        num_perturbed: codes of a row that start at random; 0 for plain sweeps.

    Returns:
        codes of the type that came, [B, M]; no row's error is larger than before.
    """
    num_codebooks, num_codewords, _ = codebooks.shape
    place_key, value_key, order_key = jax.random.split(key, 3)
    start = codes.astype(jnp.int32)
    if num_perturbed:
        shape = (len(rows), min(num_perturbed, num_codebooks))
        places = jax.random.randint(place_key, shape, 0, num_codebooks)
        values = jax.random.randint(value_key, shape, 0, num_codewords)
        tried = start.at[jnp.arange(len(rows))[:, None], places].set(values)
    else:
        tried = start
    residual = rows - sum_codewords(codebooks, tried)
    for sweep_key in jax.random.split(order_key, num_sweeps):
        order = jax.random.permutation(sweep_key, num_codebooks)
        residual, tried = sweep(residual, tried, codebooks, order)
    better = jnp.sum(jnp.square(residual), axis=-1) < squared_errors(rows, start, codebooks)
    return jnp.where(better[:, None], tried, start).astype(codes.dtype)


def squared_errors(rows: jax.Array, codes: jax.Array, codebooks: jax.Array) -> jax.Array:
    """Squared L2 distance of each row [B, D] to its reconstruction: [B]."""
    return jnp.sum(jnp.square(rows - sum_codewords(codebooks, codes)), axis=-1)


def no_equations(codebooks: jax.Array) -> tuple[jax.Array, ...]:
    """Zeros to add `normal_equations` to, or () where M*K is too large to solve them at once."""
    size = codebooks.shape[0] * codebooks.shape[1]
    if size > _MAX_CODEWORDS:
        return ()
    return jnp.zeros((size, size)), jnp.zeros((size, codebooks.shape[2]))


def refine_batch(state: tuple, batch: dict) -> tuple[tuple, jax.Array]:
    """One round over a batch: improves its codes, and counts them for `solve_codebooks`.

    Args:
        state: codebooks [M, K, D], a key, and what `no_equations` began.
        batch: `rows` [B, D], `codes` [B, M], `batch_number` [B], and `fit` [B]: which rows the
            codebooks may be fitted to.

    Returns:
        the equations, with this batch added, and codes [B, M].
    """
    codebooks, key, equations = state
    key = jax.random.fold_in(key, batch["batch_number"][0])
    codes = improve_codes(key, batch["rows"], batch["codes"], codebooks)
    if equations:
        more = normal_equations(batch["rows"], codes, batch["fit"], codebooks.shape[1])
        equations = jax.tree.map(jnp.add, equations, more)
    return equations, codes
