"""Better codes for given codebooks: tabu search, beam search, coordinate search.

The best codes of a row are a quadratic problem over M variables of K values each: exact search is
out of reach, and setting one code at a time to its best value (iterated conditional modes; Besag
1986) stops early. Tabu search (Glover 1989) goes on: each step takes the best change of a single
code, even if the error rises, and leaves that code alone for a few steps. With all products of
codewords in a table, a step costs M*K additions a row, whatever the dimension.

Axis letters: B rows of a batch, M codebooks, K codewords, D dimensions, W beam.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcompress.codes.decode import sum_codewords, take_rows
from jaxcompress.codes.groups import Groups

MAX_TABLED_CODEWORDS = 8192  # M*K up to which all products of codewords, 256 MiB, are held
_MAX_SLICES = 32  # K up to which a minimum over slices, twice as fast on CPU, is compiled
_NEVER = 1e30  # the cost of a change that is not to be made


def squared_errors(
    rows: jax.Array, codes: jax.Array, codebooks: jax.Array, groups: Groups | None = None
) -> jax.Array:
    """Computes the squared L2 distance of each row to its reconstruction.

    rows [B, D], codes int [B, M], codebooks [M, K, D] -> [B].
    """
    return jnp.sum(jnp.square(rows - sum_codewords(codebooks, codes, groups)), axis=-1)


def default_search_steps(num_codebooks: int) -> int:
    """Chooses the steps of a search so that each code can change a few times."""
    return 3 * num_codebooks


def improve_codes(
    key: jax.Array, rows: jax.Array, codes: jax.Array, codebooks: jax.Array, num_steps: int
) -> jax.Array:
    """Searches for better codes of each row, starting from those it has.

    Args:
        key: randomness.
        rows: [B, D].
        codes: int [B, M].
        codebooks: [M, K, D].
        num_steps: how many times one code of a row is changed. If M*K is above
            `MAX_TABLED_CODEWORDS`, and products are too many to hold, coordinate search visits so
            many codes instead.

    Returns:
        Codes of the given type, [B, M]; no row's error is larger than before.
    """
    start = codes.astype(jnp.int32)
    if codebooks.shape[0] * codebooks.shape[1] > MAX_TABLED_CODEWORDS:
        found = _coordinate_search(key, rows, start, codebooks, num_steps)
    else:
        found = _tabu_search(key, rows, start, codebooks, num_steps)
    # The search adds up rounding errors; what decides is computed afresh.
    better = squared_errors(rows, found, codebooks) < squared_errors(rows, start, codebooks)
    return jnp.where(better[:, None], found, start).astype(codes.dtype)


class _Tables(NamedTuple):
    """What a search looks up instead of computing distances.

    Codewords lie in order of their number, then of their codebook: codeword k of codebook m is at
    k*M + m, and the least cost over the codewords of a codebook is one over contiguous slices.

    Attributes:
        products: [K*M, K*M], twice the products of codewords; 0 between those of one codebook.
        alone: [B, K*M], squared norm of each codeword less twice its product with the row.
    """

    products: jax.Array
    alone: jax.Array


def _make_tables(rows: jax.Array, codebooks: jax.Array) -> _Tables:
    num_codebooks, num_codewords, dim = codebooks.shape
    means = codebooks.mean(axis=1, keepdims=True)  # large ones would cost digits
    rows, codebooks = rows - means.sum(axis=(0, 1)), codebooks - means
    flat = codebooks.swapaxes(0, 1).reshape(-1, dim)
    others = 1.0 - jnp.tile(jnp.eye(num_codebooks), (num_codewords, num_codewords))
    products = 2.0 * flat @ flat.T * others
    return _Tables(products, jnp.sum(jnp.square(flat), axis=-1) - 2.0 * rows @ flat.T)


def _tabu_search(
    key: jax.Array, rows: jax.Array, start: jax.Array, codebooks: jax.Array, num_steps: int
) -> jax.Array:
    """Gives the best codes met in so many steps: int32 [B, M].

    `costs` [B, K*M] hold what each codeword would add to the squared error of the row, given the
    other codes of the row; a change of one code adds two rows of `products` to them. A code that
    was changed is left alone for a number of steps (its tenure), drawn anew for each step, unless
    the change leads to the least error so far.
    """
    num_codebooks, num_codewords, _ = codebooks.shape
    products, alone = _make_tables(rows, codebooks)
    each, which = jnp.arange(num_codebooks), jnp.arange(num_codewords)

    def add(m, costs):
        return costs + take_rows(products, start[:, m] * num_codebooks + m)

    costs = jax.lax.fori_loop(0, num_codebooks, add, alone)
    place = start * num_codebooks + each
    error = 0.5 * (_along(alone, place) + _along(costs, place)).sum(axis=-1)
    tenures = _draw_tenures(key, num_steps, num_codebooks)

    def step(i, carry):
        costs, codes, free_at, error, best, least = carry
        rise = _least_others(costs, codes) - _along(costs, codes * num_codebooks + each)
        allowed = (free_at <= i) | (error[:, None] + rise < least[:, None])
        rise = jnp.where(allowed, rise, _NEVER)
        m = jnp.argmin(rise, axis=-1).astype(jnp.int32)
        old = _along(codes, m[:, None])[:, 0]
        choices = _along(costs, which * num_codebooks + m[:, None])
        choices = jnp.where(which == old[:, None], _NEVER, choices)
        new = jnp.argmin(choices, axis=-1).astype(jnp.int32)
        error = error + _along(rise, m[:, None])[:, 0]
        gone, come = old * num_codebooks + m, new * num_codebooks + m
        costs = costs + (take_rows(products, come) - take_rows(products, gone))
        codes = _put(codes, m, new)
        free_at = _put(free_at, m, jnp.broadcast_to(i + tenures[i], m.shape))
        fell = error < least
        best = jnp.where(fell[:, None], codes, best)
        return costs, codes, free_at, error, best, jnp.where(fell, error, least)

    carry = (costs, start, jnp.zeros_like(start), error, start, error)
    return jax.lax.fori_loop(0, num_steps, step, carry)[4]


def _draw_tenures(key: jax.Array, num_steps: int, num_codebooks: int) -> jax.Array:
    """Draws for each step how many further steps leave the changed code alone: int32 [steps]."""
    shortest = max(1, num_codebooks // 8)
    longest = max(min(num_codebooks, 9), num_codebooks // 3 - 1)
    return jax.random.randint(key, (num_steps,), shortest, longest + 1)


def _least_others(costs: jax.Array, codes: jax.Array) -> jax.Array:
    """Finds the least cost in each codebook but for the present codeword: [B, K*M] -> [B, M]."""
    num_rows, num_codebooks = codes.shape
    num_codewords = costs.shape[1] // num_codebooks
    if num_codewords > _MAX_SLICES:
        taken = jnp.arange(num_codewords)[:, None] == codes[:, None, :]
        each = costs.reshape(num_rows, num_codewords, num_codebooks)
        return jnp.where(taken, _NEVER, each).min(axis=1)
    slices = jnp.split(costs, num_codewords, axis=1)
    others = (jnp.where(codes == k, _NEVER, part) for k, part in enumerate(slices))
    return functools.reduce(jnp.minimum, others)


def _coordinate_search(
    key: jax.Array, rows: jax.Array, start: jax.Array, codebooks: jax.Array, num_visits: int
) -> jax.Array:
    """Sets one code of all rows after another to its best value: int32 [B, M].

    Codebooks are visited in a new random order each time around.
    """
    num_codebooks = codebooks.shape[0]
    squares = jnp.sum(jnp.square(codebooks), axis=-1)
    rounds = -(-num_visits // num_codebooks)
    orders = [jax.random.permutation(k, num_codebooks) for k in jax.random.split(key, rounds)]
    order = jnp.concatenate(orders)

    def visit(i, carry):
        residual, codes = carry
        m = order[i]
        codebook = codebooks[m]
        wanted = residual + take_rows(codebook, codes[:, m])
        new = jnp.argmin(squares[m] - 2.0 * wanted @ codebook.T, axis=-1).astype(codes.dtype)
        return wanted - take_rows(codebook, new), codes.at[:, m].set(new)

    residual = rows - sum_codewords(codebooks, start)
    return jax.lax.fori_loop(0, num_visits, visit, (residual, start))[1]


def beam_search(rows: jax.Array, codebooks: jax.Array, beam: int = 4) -> jax.Array:
    """Finds codes of rows that have none, codebook by codebook, keeping the best few so far.

    Codebooks come in the order of their codewords' spread, the widest first, as those of a
    residual quantizer do (Chen, Guan & Wang, Sensors 2010).

    Args:
        rows: [B, D].
        codebooks: [M, K, D].
        beam: W, how many are kept.

    Returns:
        int32 [B, M].
    """
    num_rows, (num_codebooks, num_codewords, dim) = len(rows), codebooks.shape
    means = codebooks.mean(axis=1, keepdims=True)
    centered = codebooks - means
    order = jnp.argsort(-jnp.sum(jnp.square(centered), axis=(1, 2)))
    squares = jnp.sum(jnp.square(centered), axis=-1)

    def visit(i, carry):
        residual, codes, errors = carry  # [B, W, D], [B, W, M], [B, W]
        m = order[i]
        scores = errors[..., None] + squares[m] - 2.0 * residual @ centered[m].T
        least, best = _least(scores.reshape(num_rows, -1), beam)
        parent, new = best // num_codewords, best % num_codewords
        residual = jnp.take_along_axis(residual, parent[..., None], axis=1) - centered[m][new]
        codes = jnp.take_along_axis(codes, parent[..., None], axis=1).at[:, :, m].set(new)
        return residual, codes, least

    residual = jnp.broadcast_to((rows - means.sum(axis=(0, 1)))[:, None], (num_rows, beam, dim))
    codes = jnp.zeros((num_rows, beam, num_codebooks), jnp.int32)
    # At first there is one empty code to go on from, not W equal ones.
    errors = jnp.where(jnp.arange(beam) == 0, 0.0, _NEVER) * jnp.ones((num_rows, 1))
    return jax.lax.fori_loop(0, num_codebooks, visit, (residual, codes, errors))[1][:, 0]


def _least(costs: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Finds the least of each row in rising order, and where they are: [B, N] -> [B, count] twice.

    For `lax.top_k` all rows would be gathered where they are split over devices.
    """
    places = jnp.arange(costs.shape[1])

    def take(costs, _):
        found = jnp.argmin(costs, axis=-1).astype(jnp.int32)
        rest = jnp.where(places == found[:, None], jnp.inf, costs)
        return rest, (costs.min(axis=-1), found)

    least, found = jax.lax.scan(take, costs, length=count, unroll=min(count, 8))[1]
    return least.T, found.T


def _along(table: jax.Array, ids: jax.Array) -> jax.Array:
    """Takes `table[b, ids[b, i]]` for each b and i; see `_put`."""
    return jnp.take_along_axis(table, ids, axis=1, mode="promise_in_bounds")


@jax.vmap
def _put(row: jax.Array, at: jax.Array, value: jax.Array) -> jax.Array:
    """Sets `table[b, at[b]]` to `value[b]` for each b.

    `table.at[arange, at]` says as much, but not to the compiler: where rows are split over devices
    it would gather all of them, in every step of a search.
    """
    return row.at[at].set(value, mode="promise_in_bounds")
