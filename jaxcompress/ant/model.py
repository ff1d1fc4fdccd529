"""A rating predicted from a user's row and an item's row, whatever tables the rows come from.

Axis letters: B batch, V rows of a table, K entries of a row before it is mixed, D dimensions.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

SIDES = ("users", "items")


ENTRIES = ("transform", "table")  # what of a table can be sparse: rows of K entries


class RatingModel(nn.Module):
    """A table a side, a network over the two rows, a bias of all ratings."""

    users: nn.Module
    items: nn.Module
    network: Callable[[jax.Array, jax.Array], jax.Array]
    mean_rating: float
    has_biases: bool

    @nn.compact
    def __call__(self, batch: dict, about: dict, *, fill: bool) -> tuple[jax.Array, jax.Array]:
        """Predicts ratings.

        Args:
            batch: "users" and "items" int [B].
            about: of each side "seen" bool [V] and "active" bool [K].
            fill: whether rows without a training rating are the mean of the others.

        Returns:
            [B], and the two rows' squared norms together, [B].
        """
        start = nn.initializers.constant(self.mean_rating)
        prediction, rows = self.param("bias", start, ()), []
        for side in SIDES:
            table, ids, seen = getattr(self, side), batch[side], about[side]["seen"]
            row = table(ids, about[side]["active"])
            if fill:
                mean = table.mean(seen.astype(row.dtype), about[side]["active"])
                row = jnp.where(seen[ids][:, None], row, mean)
            rows.append(row)
            if self.has_biases:
                bias = self.param(f"{side}_bias", nn.initializers.zeros, (table.num_rows,))
                prediction += bias[ids]
        return prediction + self.network(*rows), sum((row * row).sum(axis=-1) for row in rows)

    def rows(self, side: str, about: dict) -> jax.Array:
        """All rows of a table, [V, D]; those without a training rating are the mean."""
        table, seen, active = getattr(self, side), about[side]["seen"], about[side]["active"]
        found = table(jnp.arange(table.num_rows), active)
        return jnp.where(seen[:, None], found, table.mean(seen.astype(found.dtype), active))


def product(users: jax.Array, items: jax.Array) -> jax.Array:
    """The network of matrix factorisation: [B, D], [B, D] -> [B]."""
    return (users * items).sum(axis=-1)


def entries(table: dict[str, jax.Array]) -> str | None:
    """The name of the part of a table that can be sparse: rows of K entries."""
    return next((name for name in ENTRIES if name in table), None)


def num_nonzero(params: dict, about: dict) -> jax.Array:
    """Entries of both tables that are not 0, in rows seen and of active anchors.

    Of tables of mixed dimensions, those of all blocks.
    """
    total = 0
    for side in SIDES:
        if name := entries(params[side]):
            counted = about[side]["active"] & about[side]["seen"][:, None]
            total += ((params[side][name] != 0) & counted).sum()
        else:
            parts = [v for k, v in params[side].items() if k.startswith("table_")]
            total += sum((part != 0).sum() for part in parts)
    return total


def num_others(params: dict, about: dict) -> jax.Array:
    """Parameters that are not entries of tables: anchors, projections, biases, a network."""
    total = sum(leaf.size for name, leaf in _leaves(params) if name[0] not in SIDES)
    for side in SIDES:
        for name, part in params[side].items():
            if name == "anchors":
                total += about[side]["active"].sum() * part.shape[1]
            elif name.startswith("projection"):
                total += part.size
    return total


def _leaves(params: dict) -> list:
    return [
        (tuple(key.key for key in path), leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    ]
