"""What the layers of anchors of linen and nnx share: rows, logits, sizes.

Axis letters: V rows of the table, K anchors that there is room for, D dimensions.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxcompress.anchors.table import attend, mix
from jaxcompress.codes.decode import sum_type
from jaxcompress.codes.meshes import in_auto_mesh, join_specs, spec_of
from jaxcompress.errors import InputError
from jaxcompress.layers.embedding import check_ids, place


def check_sizes(layer: str, **sizes: int) -> None:
    """Raises InputError if a size is no whole number of at least 1, or if anchors have no room."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"{layer}: {name} is {size!r}; expected a whole number of at least 1.")
    if sizes["num_anchors"] > sizes["max_anchors"]:
        raise InputError(
            f"{layer}: num_anchors is {sizes['num_anchors']}; there is room for max_anchors, "
            f"{sizes['max_anchors']}."
        )


def rows_of(
    ids: jax.Array,
    transform: jax.Array,
    anchors: jax.Array,
    active: jax.Array | None,
    dtype: Any,
) -> jax.Array:
    """Mixes rows, with ids out of range as `Embed` of Flax treats them.

    Args:
        ids: int, any shape; a negative one counts from the end.
        transform: [V, K].
        anchors: [K, D].
        active: bool [K], anchors in use; None: all.
        dtype: the type of the rows; None: that of the anchors. Sums are float32 at least.

    Returns:
        [*ids.shape, D]; NaN for an id that is out of range.

    Raises:
        InputError: if ids are not integers.
    """
    ids = check_ids(ids)
    return _rows_of(ids, transform, anchors, active, jnp.dtype(dtype or anchors.dtype))


@functools.partial(jax.jit, static_argnames="dtype")  # constants are no transfers
def _rows_of(ids, transform, anchors, active, dtype):
    wide = sum_type(anchors)  # so that rows are rounded once, to their type

    def rows_or_nan(ids, transform, anchors, *active):
        ids, there = place(ids, len(transform))
        rows = mix(transform[ids].astype(wide), anchors.astype(wide), *active)
        return jnp.where(there[..., None], rows, jnp.nan)

    masks = () if active is None else (active,)
    spec = join_specs(*spec_of(ids), spec_of(anchors)[-1])
    return in_auto_mesh(rows_or_nan, spec)(ids, transform, anchors, *masks).astype(dtype)


@jax.jit
def logits_of(
    query: jax.Array, transform: jax.Array, anchors: jax.Array, active: jax.Array | None
) -> jax.Array:
    """Multiplies a query with every row: [..., D] -> logits [..., V]; all are of one type.

    Raises:
        InputError: if the last dimension of the query is not D.
    """
    dim = anchors.shape[-1]
    if query.ndim == 0 or query.shape[-1] != dim:
        raise InputError(f"the query is {list(query.shape)}; expected [..., {dim}].")
    masks = () if active is None else (active,)
    spec = join_specs(*spec_of(query)[:-1], spec_of(transform)[0])
    return in_auto_mesh(attend, spec)(query, transform, anchors, *masks)
