"""Deep compositional code learning (DCCL).

Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning", ICLR 2018,
arXiv 1711.01068. A row of a trained table becomes M codes in [0, K) and is read back as the sum of
M codewords, one of each of M codebooks. An encoder and the codebooks are trained together as an
autoencoder whose middle is M draws from Gumbel-softmax distributions.

Axis letters: B batch, N rows, D dimensions, M codebooks, K codewords, H hidden units.

Departures from the paper, each off in `configs/glove_paper.py`:
- `model.normalize`: rows enter and leave the autoencoder centred and scaled to unit variance, so
  that one learning rate serves any table. `export_codebooks` folds both into the codebooks.
- `model.revive`: codewords that no row uses start anew beside the ones used most.
- The learning rate falls along a cosine, the temperature falls, gradients are not clipped.
- The encoder is twice as wide: it is not part of what is stored.
- Codes and codebooks are refined after training (`refinement.py`).
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.decode import sum_codewords
from jaxcompress.codes.rows import Table, with_codes
from jaxcompress.engine.loop import add_sums, fetch_one_behind
from jaxcompress.engine.task import mean_metrics


def error_sums(
    rows: jax.Array,
    decoded: jax.Array,
    mask: jax.Array,
    center: jax.Array,
    weights: jax.Array | None = None,
) -> dict[str, jax.Array]:
    """Sums the errors of hard codes over the rows that `mask` marks.

    Args:
        rows: [B, D].
        decoded: [B, D], what the codes give.
        mask: float [B].
        center: [D], a row near the mean, so that the spread of the rows loses no digits.
        weights: [B]: how much each row counts in the weighted sums, which are there then.
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


def error_metrics(sums: dict[str, np.ndarray]) -> dict[str, float]:
    """Divides sums once: those of `error_sums`, and of `evaluate` where they are there.

    `relative_error` is the sum of squared errors over the sum of squared distances to the mean of
    these rows. Weighted means are over the sum of the weights. `codebook_perplexity` is the mean
    over codebooks of exp(entropy of the codewords' use), K at best. `dead_codewords` are those that
    none of these rows uses.
    """
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
        used = np.asarray(sums["usage"]) / count
        entropy = -np.sum(used * np.log(np.where(used > 0, used, 1.0)), axis=-1)
        figures["codebook_perplexity"] = float(np.exp(entropy).mean())
        figures["dead_codewords"] = float((used == 0).sum())
    return figures


def code_errors(table: Table, codes: Codes) -> dict[str, dict[str, float]]:
    """Figures of hard codes over "all" rows, and over those held out, if any, as "valid"."""
    totals: dict[str, dict] = {"all": {}, "valid": {}}
    center = codes.codebooks.mean(axis=1).sum(axis=0)
    state, feed = table.place((codes.codebooks, center)), with_codes(table, codes.codes)
    indices = map(feed.index, range(feed.num_batches))
    for parts in fetch_one_behind(table.map(_error_sums, state, i) for i in indices):
        for name, sums in parts.items():
            add_sums(totals[name], sums)
    totals["all"]["usage"] = np.stack(
        [np.bincount(column, minlength=codes.num_codewords) for column in codes.codes.T]
    )
    return {name: error_metrics(sums) for name, sums in totals.items() if sums["count"]}


def _error_sums(state: tuple, batch: dict) -> dict:
    codebooks, center = state
    decoded = sum_codewords(codebooks, batch["codes"])
    mask = batch["mask"].astype(jnp.float32)
    held_out = mask * (1.0 - batch["fit"].astype(jnp.float32))
    weights = batch.get("weights")
    return {
        "all": error_sums(batch["rows"], decoded, mask, center, weights),
        "valid": error_sums(batch["rows"], decoded, held_out, center, weights),
    }
