"""A rating predicted from a user's row and an item's row, whatever tables the rows come from.

Matrix factorisation (Koren et al., "Matrix Factorization Techniques for Recommender Systems",
2009): the prediction is the product of two rows, and biases. The rows come from tables of anchors
or from what these are judged against (`baselines.py`).

Axis letters: B batch, V rows of a table, K entries of a row before it is mixed, D dimensions.

`masks` holds for each side, "users" and "items", `seen` bool [V], rows with a training rating so
far, and `active` bool [K], entries of a row that count.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

SIDES = ("users", "items")
SPARSE_PARAMS = ("transform", "table")  # parameters of a table that can be sparse, [V, K]


class RatingModel(nn.Module):
    """A table for each side, a network over the two rows, a bias of all ratings.

    Attributes:
        users: the table of users; it has `num_rows`, `num_entries` (K), `ids, active -> rows` and
            `mean(seen, active)`, as `AnchorTable` has.
        items: the table of items, likewise.
        network: rows of users and of items, [B, D] each -> [B].
        mean_rating: the first value of the bias of all ratings.
        has_biases: whether each user and each item has a bias too.
    """

    users: nn.Module
    items: nn.Module
    network: Callable[[jax.Array, jax.Array], jax.Array]
    mean_rating: float
    has_biases: bool

    @nn.compact
    def __call__(self, batch: dict, masks: dict, *, fill: bool) -> tuple[jax.Array, jax.Array]:
        """Predicts ratings.

        Args:
            batch: "users" and "items" int [B], numbers of rows.
            masks: see above.
            fill: whether rows without a training rating are the mean of the others.

        Returns:
            Predictions [B], and the two rows' squared norms together, [B].
        """
        start = nn.initializers.constant(self.mean_rating)
        prediction, rows = self.param("bias", start, ()), []
        for side in SIDES:
            table, ids, seen = getattr(self, side), batch[side], masks[side]["seen"]
            row = table(ids, masks[side]["active"])
            if fill:
                mean = table.mean(seen.astype(row.dtype), masks[side]["active"])
                row = jnp.where(seen[ids][:, None], row, mean)
            rows.append(row)
            if self.has_biases:
                bias = self.param(bias_name(side), nn.initializers.zeros, (table.num_rows,))
                prediction += bias[ids]
        return prediction + self.network(*rows), sum((row * row).sum(axis=-1) for row in rows)

    def rows(self, side: str, masks: dict) -> jax.Array:
        """Computes all rows of a table, [V, D]; those without a training rating are the mean."""
        table, seen, active = getattr(self, side), masks[side]["seen"], masks[side]["active"]
        found = table(jnp.arange(table.num_rows), active)
        return jnp.where(seen[:, None], found, table.mean(seen.astype(found.dtype), active))


def product(users: jax.Array, items: jax.Array) -> jax.Array:
    """Multiplies rows, the network of matrix factorisation: [B, D], [B, D] -> [B]."""
    return (users * items).sum(axis=-1)


def bias_name(side: str) -> str:
    """Names the parameter that holds the biases of a side, [V]."""
    return f"{side}_bias"


def masks_of(aux: dict) -> dict:
    """Takes the masks out of the arrays that a task keeps beside its parameters."""
    return {side: aux[side] for side in SIDES}


def sparse_param(table: dict[str, jax.Array]) -> str | None:
    """Names the parameter of a table that can be sparse, [V, K]; None if there is none."""
    return next((name for name in SPARSE_PARAMS if name in table), None)


def num_nonzero(params: dict, masks: dict) -> jax.Array:
    """Counts the entries of both tables that are not 0, in rows seen and in use, int [].

    Of tables of mixed dimensions, those of all blocks.
    """
    total = 0
    for side in SIDES:
        if name := sparse_param(params[side]):
            counted = masks[side]["active"] & masks[side]["seen"][:, None]
            total += ((params[side][name] != 0) & counted).sum()
        else:
            blocks = [v for k, v in params[side].items() if k.startswith("table_")]
            total += sum((block != 0).sum() for block in blocks)
    return total


def num_others(params: dict, masks: dict) -> jax.Array:
    """Counts parameters that are no entries of tables: anchors, projections, biases, a network."""
    biases = [bias_name(side) for side in SIDES]
    total = sum(leaf.size for name in params if name not in (*SIDES, *biases)
                for leaf in jax.tree.leaves(params[name]))  # fmt: skip
    for side in SIDES:
        if bias_name(side) in params:
            total += masks[side]["seen"].sum()  # those of other rows stay 0
        for name, param in params[side].items():
            if name == "anchors":
                total += masks[side]["active"].sum() * param.shape[1]
            elif name.startswith("projection"):
                total += param.size
    return total
