"""What the layers of linen and nnx share: rows by id, out-of-range ids as Flax treats them.

Axis letters: V rows of the table, M codebooks, K codewords, D dimensions.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.decode import lookup, sum_type
from jaxcompress.codes.groups import Groups
from jaxcompress.codes.meshes import in_auto_mesh, join_specs, spec_of
from jaxcompress.errors import InputError


def put(x: np.ndarray, dtype: Any = None) -> jax.Array:
    """Puts an array of an artefact on the device, in a type; None: its own.

    `jnp.asarray` would be an implicit transfer, which `jax.transfer_guard` may forbid.
    """
    return jax.device_put(np.asarray(x, dtype))


def embed(
    codes: jax.Array,
    codebooks: jax.Array,
    ids: jax.Array,
    dtype: Any,
    groups: Groups | None = None,
) -> jax.Array:
    """Reconstructs rows, as `Embed` of Flax takes them from a table.

    Args:
        codes: int [V, M].
        codebooks: [M, K, D].
        ids: int, any shape; a negative one counts from the end.
        dtype: the type of the rows; None: that of the codebooks. Sums and gradients are made in
            float32 at least.
        groups: the layout of the codebooks; outside of their slices they get no gradient.

    Returns:
        [*ids.shape, D]; NaN for an id that is out of range.

    Raises:
        InputError: if ids are not integers.
    """
    ids = check_ids(ids)
    return _embed(codes, codebooks, ids, jnp.dtype(dtype or codebooks.dtype), groups)


def check_ids(ids: jax.Array) -> jax.Array:
    """Raises InputError if ids, of any shape, are not integers."""
    ids = jnp.asarray(ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise InputError(f"ids are {ids.dtype}; expected integers.")
    return ids


def place(ids: jax.Array, num_rows: int) -> tuple[jax.Array, jax.Array]:
    """Says which ids are those of rows, bool, and gives them as int32, with 0 for the others."""
    if ids.dtype.itemsize < 4:
        ids = ids.astype(jnp.int32)
    there = ids < num_rows  # compared in their own type: uint32 has larger ids than int32
    if jnp.issubdtype(ids.dtype, jnp.signedinteger):
        there &= ids >= -num_rows
    return jnp.where(there, ids, 0).astype(jnp.int32), there


def in_spans(codebooks: jax.Array, groups: Groups | None) -> jax.Array:
    """Keeps codebooks [M, K, D], and so their gradient, in their slices of the dimensions."""
    if groups is None:
        return codebooks
    return groups.join(*groups.split(codebooks))


@functools.partial(jax.jit, static_argnames=("dtype", "groups"))  # constants are no transfers
def _embed(
    codes: jax.Array,
    codebooks: jax.Array,
    ids: jax.Array,
    dtype: jnp.dtype,
    groups: Groups | None,
) -> jax.Array:
    wide = codebooks.astype(sum_type(codebooks))  # so that rows are rounded once, to their type

    def rows_or_nan(codes, codebooks, ids):
        ids, there = place(ids, len(codes))
        rows = lookup(codes, codebooks, ids, groups)
        return jnp.where(there[..., None], rows, jnp.nan)

    spec = join_specs(*spec_of(ids), spec_of(codebooks)[-1])
    return in_auto_mesh(rows_or_nan, spec)(codes, wide, ids).astype(dtype)
