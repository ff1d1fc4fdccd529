"""Logits of a table of codes: products of queries with all rows, without making the table.

A row is a sum of codewords (Shu & Nakayama 2018, eq. 2). What is fast differs: a CPU sums partial
products that it looks up (`attend_by_tables.py`), other devices multiply matrices
(`attend_by_products.py`). Both are float32 at least, and differ in their last digits.

Axis letters: V rows of the table, M codebooks, K codewords, D dimensions.
"""

import jax

from jaxcompress.codes import attend_by_products, attend_by_tables
from jaxcompress.codes.meshes import in_auto_mesh, join_specs, spec_of, vary_together
from jaxcompress.errors import InputError


@jax.jit
def attend(query: jax.Array, codes: jax.Array, codebooks: jax.Array) -> jax.Array:
    """Multiplies queries with all rows, `query @ table.T`, without making the table.

    Logit [..., v] is `query @ sum_m codebooks[m, codes[v, m]]`. Sums and gradients are float32 even
    if the arrays are of a smaller type.

    Gradients are by reverse mode, and those of gradients by either: `jax.grad`, `jax.jacrev` and
    `jax.hessian` work; `jax.jvp` and `jax.jacfwd` of `attend` itself end in jax's TypeError.

    >>> import jax.numpy as jnp
    >>> codebooks = jnp.array([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 10.0], [0.0, 20.0]]])
    >>> rows = jnp.array([[0, 1], [1, 1]])  # that is [1, 20] and [2, 20]
    >>> attend(jnp.array([1.0, 0.5]), rows, codebooks)
    Array([11., 12.], dtype=float32)

    Args:
        query: [..., D].
        codes: int [V, M], each in [0, K); not checked.
        codebooks: [M, K, D].

    Returns:
        Logits [..., V], of the type to which query and codebooks are promoted.

    Raises:
        InputError: if the last dimension of the query is not D.
    """
    dim = codebooks.shape[-1]
    if query.ndim == 0 or query.shape[-1] != dim:
        raise InputError(f"the query is {list(query.shape)}; expected [..., {dim}].")
    query, codes, codebooks = vary_together(query, codes, codebooks)
    spec = join_specs(*spec_of(query)[:-1], spec_of(codes)[0])
    return in_auto_mesh(_attend, spec)(query, codes, codebooks)


@jax.custom_vjp
def _attend(query, codes, codebooks):
    return _forward(query, codes, codebooks)[0]


def _forward(query, codes, codebooks):
    # Not `_attend`: what has no rule of its own can be differentiated in forward mode too.
    arguments = query, codes, codebooks
    logits = jax.lax.platform_dependent(
        *arguments, cpu=attend_by_tables.multiply, default=attend_by_products.multiply
    )
    return logits, arguments


def _backward(residuals, d_logits):
    d_query, d_codebooks = jax.lax.platform_dependent(
        *residuals, d_logits, cpu=attend_by_tables.pull_back, default=attend_by_products.pull_back
    )
    return d_query, None, d_codebooks


_attend.defvjp(_forward, _backward)
