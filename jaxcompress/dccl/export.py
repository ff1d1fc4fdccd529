"""From a table and a config to codes: what `compress` and `python -m train.dccl` share."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.dccl.model import Encoder
from jaxcompress.dccl.prepare import Problem
from jaxcompress.engine.loop import map_rows
from jaxcompress.engine.task import TrainState


def to_codes(
    problem: Problem,
    state: TrainState,
    words: Sequence[str] | None,
    metadata: Mapping[str, str] | None = None,
) -> Codes:
    """Encodes every row with a trained state, before any refinement."""
    table = problem.table
    codes = map_rows(encode, problem.job, state, table.everything(), len(table.rows))
    params, aux = jax.device_get((state.params, state.aux))
    return Codes(
        codes,
        export_codebooks(params, aux),
        words,
        export_encoder(params, aux),
        metadata or {},
    )


def encode(state: Any, batch: dict) -> jax.Array:
    """Gives the codes of a batch, without noise: argmax of alpha (section 3.3). int [B, M]."""
    rows = (batch["rows"] - state.aux["mean"]) / state.aux["scale"]
    codebooks = state.params["codebooks"]
    hidden = state.params["encoder"]["hidden"]["bias"].shape[0]
    encoder = Encoder(*codebooks.shape[:2], hidden)
    alpha = encoder.apply({"params": state.params["encoder"]}, rows)
    kind = jnp.uint8 if codebooks.shape[1] <= 256 else jnp.uint16
    return jnp.argmax(alpha, axis=-1).astype(kind)


def export_codebooks(params: dict, aux: dict) -> np.ndarray:
    """Folds the normalisation into the codebooks: float32 [M, K, D] whose sums are rows."""
    codebooks = np.asarray(params["codebooks"], np.float64)
    folded = codebooks * float(aux["scale"]) + np.asarray(aux["mean"], np.float64) / len(codebooks)
    return folded.astype(np.float32)


def export_encoder(params: dict, aux: dict) -> dict[str, np.ndarray]:
    """The encoder's weights by name, with the normalisation of the rows that enter it."""
    weights = {
        f"{layer}.{name}": np.asarray(value)
        for layer, values in params["encoder"].items()
        for name, value in values.items()
    }
    return {**weights, "mean": np.asarray(aux["mean"]), "scale": np.asarray(aux["scale"])}
