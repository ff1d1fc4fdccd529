"""Errors of codes over the rows of a table: sums of batches, and the figures made of them.

Axis letters: B rows of a batch, D dimensions, M codebooks, K codewords.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.decode import sum_codewords
from jaxcompress.codes.placed import PlacedCodes, map_codes, place_codes
from jaxcompress.codes.precision import exact_products
from jaxcompress.codes.rows import PreparedTable
from jaxcompress.engine.loop import add_sums
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.task import mean_metrics


def error_sums(
    rows: jax.Array,
    decoded: jax.Array,
    mask: jax.Array,
    center: jax.Array,
    weights: jax.Array | None = None,
) -> dict[str, jax.Array]:
    """Sums the errors of codes over the rows that `mask` marks.

    Args:
        rows: [B, D].
        decoded: [B, D], the same rows as the codes give them.
        mask: float [B], 1 for rows that count, 0 for padding.
        center: [D], a row near the mean, so that the spread of the rows loses no digits.
        weights: [B], how much each row counts in the weighted sums; None: there are none.

    Returns:
        Scalars by name, and "offset" [D]: sums over rows, with their "count".
    """
    squared = jnp.sum(jnp.square(decoded - rows), axis=-1)
    centered = (rows - center) * mask[:, None]
    sums = {
        "count": mask.sum(),
        "l2": jnp.sqrt(squared) @ mask,
        "squared_l2": squared @ mask,
        "offset": centered.sum(axis=0),
        "squared_distance": jnp.sum(jnp.square(centered)),
    }
    if weights is not None:
        weights = weights * mask
        sums["weight"] = weights.sum()
        sums["weighted_l2"] = jnp.sqrt(squared) @ weights
        sums["weighted_squared_l2"] = squared @ weights
    return sums


def error_metrics(sums: dict[str, np.ndarray], exponent: int = 0) -> dict[str, float]:
    """Divides the totals of `error_sums`, and of a method's evaluation if they are among them.

    Args:
        sums: of `error_sums`; "usage" [M, K], how many rows use each codeword, "soft_l2" and
            "max_probability" if known.
        exponent: the sums are of rows times 2**-exponent; figures are in the units of the table.

    Returns:
        Figures by name. "relative_error" is the sum of squared errors over the sum of squared
        distances to the mean of these rows. Weighted means are divided by the sum of weights.
        "codebook_perplexity" is the mean over codebooks of exp(entropy of the use of codewords), K
        at best. "dead_codewords" is the number of codewords that none of these rows uses.
    """
    sums = _to_units_of_table(sums, exponent)
    means = mean_metrics(sums)
    count = float(sums["count"])
    spread = float(sums["squared_distance"]) - float(sums["offset"] @ sums["offset"]) / count
    figures = {
        "mean_l2": means["l2"],
        "mean_squared_l2": means["squared_l2"],
        "relative_error": float(sums["squared_l2"]) / spread if spread > 0 else 0.0,
    }
    if "weight" in sums:
        weight = float(sums["weight"])
        figures["weighted_mean_l2"] = float(sums["weighted_l2"]) / weight
        figures["weighted_mean_squared_l2"] = float(sums["weighted_squared_l2"]) / weight
    if "soft_l2" in sums:
        figures["soft_mean_l2"] = means["soft_l2"]
        figures["max_probability"] = means["max_probability"]
    if "usage" in sums:
        figures |= _usage_metrics(np.asarray(sums["usage"]) / count)
    return figures


def _to_units_of_table(sums: dict[str, np.ndarray], exponent: int) -> dict[str, np.ndarray]:
    powers = dict.fromkeys(("l2", "soft_l2", "weighted_l2", "offset"), 1)
    powers |= dict.fromkeys(("squared_l2", "weighted_squared_l2", "squared_distance"), 2)
    return {name: np.ldexp(value, powers.get(name, 0) * exponent) for name, value in sums.items()}


def _usage_metrics(used: np.ndarray) -> dict[str, float]:
    """Computes perplexity and unused codewords from the shares of rows [M, K] that use each one."""
    entropy = -np.sum(used * np.log(np.where(used > 0, used, 1.0)), axis=-1)
    return {
        "codebook_perplexity": float(np.exp(entropy).mean()),
        "dead_codewords": float((used == 0).sum()),
    }


@own_settings
def code_errors(table: PreparedTable, codes: Codes | PlacedCodes) -> dict[str, dict[str, float]]:
    """Computes the figures of codes over "all" rows and, if some are held out, over "valid" ones.

    Args:
        table: the rows.
        codes: codes of all of them, in their order.

    Returns:
        Figures of `error_metrics` by name, for "all" and perhaps "valid".
    """
    totals: dict[str, dict] = {"all": {}, "valid": {}}
    placed = place_codes(table, codes)
    codebooks = np.ldexp(placed.codebooks, -table.exponent)
    center = codebooks.mean(axis=1).sum(axis=0)
    state = table.place((codebooks, center))
    for parts in map_codes(table, _batch_errors, state, placed.codes):
        for name, sums in parts.items():
            add_sums(totals[name], sums)
    return {
        name: error_metrics(sums, table.exponent) for name, sums in totals.items() if sums["count"]
    }


@exact_products
def _batch_errors(state: tuple, batch: dict) -> dict:
    """Decodes a batch; its errors over all rows and over those held out."""
    codebooks, center = state
    decoded = sum_codewords(codebooks, batch["codes"])
    mask = batch["mask"].astype(jnp.float32)
    held_out = mask * (1.0 - batch["fit"].astype(jnp.float32))
    weights = batch.get("weights")
    usage = count_codewords(batch["codes"], batch["mask"], codebooks.shape[1])
    return {
        "all": {"usage": usage, **error_sums(batch["rows"], decoded, mask, center, weights)},
        "valid": error_sums(batch["rows"], decoded, held_out, center, weights),
    }


def count_codewords(codes: jax.Array, mask: jax.Array, num_codewords: int) -> jax.Array:
    """Counts the rows that use each codeword: codes int [B, M], mask bool [B] -> int32 [M, K]."""
    num_codebooks = codes.shape[1]
    each = jnp.broadcast_to(jnp.arange(num_codebooks), codes.shape)
    ones = jnp.broadcast_to(mask[:, None], codes.shape).astype(jnp.int32)
    counts = jnp.zeros((num_codebooks, num_codewords), jnp.int32)
    return counts.at[each, codes.astype(jnp.int32)].add(ones, mode="promise_in_bounds")
