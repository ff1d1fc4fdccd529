"""From a trained state to codes: what a run, a sweep and `compress` share.

Axis letters: B rows of a batch, D dimensions, M codebooks, K codewords, H hidden units.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.codes.placed import PlacedCodes, fetch_codes, recode, zero_codes
from jaxcompress.dccl.model import Encoder, normalize
from jaxcompress.dccl.prepare import Problem
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.task import TrainState
from jaxcompress.storage.bits import code_type


@own_settings
def to_codes(
    problem: Problem,
    state: TrainState,
    words: Sequence[str] | None,
    metadata: Mapping[str, str] | None = None,
) -> Codes:
    """Encodes every row of the table with a trained state; nothing is refined yet.

    Args:
        problem: what the state was trained on.
        state: the trained state.
        words: names of the rows; None: they are named by their numbers.
        metadata: kept with the codes.
    """
    placed, table = encode_rows(problem, state), problem.table
    encoder = export_encoder(*jax.device_get((state.params, state.aux)), table.exponent)
    codes = fetch_codes(table, placed)
    return Codes(codes, placed.codebooks, words, encoder, metadata or {})


@own_settings
def encode_rows(problem: Problem, state: TrainState) -> PlacedCodes:
    """Encodes every row of the table with a trained state, where it lies."""
    table = problem.table
    params, aux = jax.device_get((state.params, state.aux))
    codebooks = export_codebooks(params, aux, table.exponent)
    codes = zero_codes(table, len(codebooks), code_type(codebooks.shape[1]))
    state = state.replace(opt_state=())
    codes, _ = recode(table, _encode_batch, codes, (), state)
    return PlacedCodes(codes, codebooks)


def _encode_batch(state: TrainState, carry: tuple, batch: dict) -> tuple[tuple, jax.Array]:
    return carry, encode(state, batch)


def encode(state: TrainState, batch: dict) -> jax.Array:
    """Gives the codes of a batch, without noise: argmax of alpha (section 3.3).

    Args:
        state: a trained state.
        batch: `rows` [B, D], in the units that the state was trained in.

    Returns:
        [B, M]; uint8, or uint16 if K is over 256.
    """
    codebooks = state.params["codebooks"]
    hidden_size = state.params["encoder"]["hidden"]["bias"].shape[0]
    encoder = Encoder(*codebooks.shape[:2], hidden_size)
    rows = normalize(batch["rows"], state.aux)
    alpha = encoder.apply({"params": state.params["encoder"]}, rows)
    kind = jnp.uint8 if codebooks.shape[1] <= 256 else jnp.uint16
    return jnp.argmax(alpha, axis=-1).astype(kind)


def export_codebooks(params: dict, aux: dict, exponent: int = 0) -> np.ndarray:
    """Folds the normalisation into the codebooks, each of which takes a part of the mean.

    Args:
        params: `codebooks` [M, K, D], over normalised rows.
        aux: `mean` [D] and `scale` [].
        exponent: parameters are of rows times 2**-exponent.

    Returns:
        float32 [M, K, D], whose sums are rows of the table.
    """
    codebooks = np.asarray(params["codebooks"], np.float64)
    folded = codebooks * float(aux["scale"]) + np.asarray(aux["mean"], np.float64) / len(codebooks)
    return np.ldexp(folded, exponent).astype(np.float32)


def export_encoder(params: dict, aux: dict, exponent: int = 0) -> dict[str, np.ndarray]:
    """Gives the encoder's weights by name, with the normalisation of the rows that enter it.

    The arguments are those of `export_codebooks`.

    Returns:
        `hidden.kernel` [D, H], `hidden.bias` [H], `scores.kernel` [H, M*K], `scores.bias` [M*K],
        `mean` [D] and `scale` [].
    """
    weights = {
        f"{layer}.{name}": np.asarray(value)
        for layer, values in params["encoder"].items()
        for name, value in values.items()
    }
    for name in ("mean", "scale"):
        weights[name] = np.asarray(np.ldexp(np.asarray(aux[name]), exponent))  # no scalar
    return weights
